/* What of this host would hold the service up, or give its secrets away: numbers
 * in, verdicts out. */
#ifndef PW_LIMITS_H
#define PW_LIMITS_H

#include <jansson.h>
#include <sys/types.h>

#include "common/base/base.h"

struct conf;

/* -1: cannot be known. */
struct limits {
	int64_t descriptors;	/* of each process: RLIMIT_NOFILE */
	int64_t somaxconn;	/* net.core. */
	int64_t syn_backlog;	/* net.ipv4.tcp_max_syn_backlog */
	int64_t syn_cookies;	/* net.ipv4.tcp_syncookies */
	int64_t memory;		/* bytes: MemAvailable, less if the cgroup has a
				 * limit */
	unsigned workers;
	unsigned cores;		/* that we may run on */
	const char *conf_path;	/* NULL: there is none */
	int64_t conf_mode;	/* its permissions, when there are secrets in it */
	const char *run_dir;
	int64_t run_dir_mode;
	const char *socket;	/* the control socket's path */
	int64_t socket_mode;
};

/* Asks the system now; a few small files, without blocking. Texts are borrowed
 * from conf and conf_path. */
void limits_read(const struct conf *conf, const char *conf_path,
		 unsigned workers, struct limits *out);
/* An array of {"name", "ok", "text", "todo"}; todo "" when ok. Pure. The
 * caller's. */
json_t *limits_judge(const struct limits *l);
/* Does a line of this INI file set a secret? */
bool limits_has_secret(const char *text);

#endif
