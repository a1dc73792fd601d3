/* Configuration: one INI file, environment, defaults, all through one table
 * and one parser (pairwire.conf).
 *
 * A text value is what stands behind the "=", without surrounding space; or it
 * is in double quotes, where \\ \" \n \r \t and \xHH may be used. Comments
 * have lines of their own: an unquoted value with " ;" or " #" in it is
 * refused rather than guessed at. Values from the environment are taken as
 * they are, without quotes. */
#ifndef PW_CONF_H
#define PW_CONF_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/conf/conf_table.h"

#define CONF_FIELD_STR(key) char *key;
#define CONF_FIELD_SECRET(key) char *key;
#define CONF_FIELD_BOOL(key) int64_t key;	/* on 1, off 0 */
#define CONF_FIELD_UINT(key) uint64_t key;
#define CONF_FIELD_SIZE(key) uint64_t key;	/* bytes; k, M, G */
#define CONF_FIELD_MSEC(key) int64_t key;	/* ms, s, m, h */
#define CONF_FIELD(type, when, section, key, def, min, max, env, help) \
	CONF_FIELD_##type(key)
struct conf {
	CONF_TABLE(CONF_FIELD)
	struct conf_origins *origins;	/* of a loaded one (conf_show.h), or NULL */
};
#undef CONF_FIELD

#define CONF_ERR_MAX 256

/* Whom it is read for: the server (master, workers); pushd, which needs no
 * key of the tokens and has the section [pushd] checked; or a tool that only wants to
 * find run_dir, for which what must be set, and how keys go together, does not
 * count. */
enum conf_for { CONF_FOR_SERVER, CONF_FOR_PUSHD, CONF_FOR_TOOL };

/* When a changed value counts (conf_table.h). */
enum conf_when { CONF_LIVE, CONF_WORKER, CONF_RESTART, CONF_PUSHD };

/* Defaults, then the file (NULL: none), then for secrets a file
 * $CREDENTIALS_DIRECTORY/<key> (systemd's LoadCredential=; one newline at its end
 * does not count), then the environment; checked whole.
 * What is empty and stands for something else is filled in: node,
 * control_socket, store_url, push_queue_url, pushd_name; for the server,
 * jwt_public_key is what jwt_public_key_file has in it, and a good key. Text fields
 * are never
 * NULL. 0, or -errno with "where: key: what is wrong" in err: -EINVAL is of what
 * they say, another of a file that cannot be read now; where is
 * "file:line", "credential <key>" or the variable's name. Values of secrets are never in err. */
int conf_load(const char *path, enum conf_for whom, struct conf **out,
	      char err[CONF_ERR_MAX]) MUST_CHECK;
/* The installed configuration file, or NULL when there is none. */
const char *conf_default_path(void);
/* Wipes the secrets. NULLs *c. */
void conf_free(struct conf **c);

/* The effective values, secrets included, for handing to a worker through a
 * memfd; and back (from the fd's start; the environment does not count). The
 * text is an INI file itself, its texts quoted, and for the server. */
void conf_write(const struct conf *c, struct buf *out);
int conf_read_fd(int fd, struct conf **out, char err[CONF_ERR_MAX]) MUST_CHECK;

/* The keys that count at a restart only, and their values, for a program that
 * goes on in place of another one (as the file has them). The i-th key, NULL
 * past the end. */
const char *conf_restart_key(size_t i);
void conf_restart_get(const struct conf *c, const char *key, struct buf *out);
/* A key that is none of them (any more) is passed over. changed: c had another
 * value. 0 or -EINVAL. */
int conf_restart_set(struct conf *c, const char *key, const char *text,
		     bool *changed_out, char err[CONF_ERR_MAX]) MUST_CHECK;

#define CONF_HOST_MAX 256
/* "HOST:PORT", "[IPv6]:PORT". 0 or -EINVAL. */
int conf_host_port(const char *text, char host_out[CONF_HOST_MAX],
		   unsigned *port_out) MUST_CHECK;

#endif
