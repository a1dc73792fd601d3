/* The master: everything it is made of, and its life. Its parts do not know it;
 * only master.c, reload.c and the commands see them all. */
#ifndef PW_MASTER_H
#define PW_MASTER_H

#include "common/conf/conf.h"
#include "master/control/control.h"
#include "master/status/pages.h"

/* How the program was started. */
struct master_call {
	char **argv;
	const char *conf_path;	/* NULL: there is no file */
	int state_fd;		/* an earlier master's (inheritance.h); or -1 */
};

struct master {
	const struct master_call *call;
	struct conf *conf;
	char *program;		/* path_self() */
	struct loop *loop;
	int lock;
	struct listeners *listeners;
	char *worker_path;
	struct supervisor *sup;
	struct control *control;
	struct queries *queries;
	struct explain *explain;
	struct status *status;
	struct status_line *status_line;
	struct notices *notices;
	struct upgrade *upgrade;
	bool said_ready;	/* to systemd */
	struct admin *admin;	/* NULL: off */
	struct pages pages;
};

/* The exit status of one that ends with rc; EX_CONFIG, of -EINVAL: another start
 * would fail as this one did. What cannot be read now can be then. */
int master_status(int rc, const struct master_call *call) MUST_CHECK;
/* Serves until it is told to stop. conf is taken. Exit status. */
int master_run(struct conf *conf, const struct master_call *call) MUST_CHECK;

/* commands.c: the rows of ctl_rows.h; arg is the master. */
extern const struct control_command master_commands[];
extern const size_t master_commands_n;

#endif
