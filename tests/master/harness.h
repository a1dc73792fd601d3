/* Runs the real master with fake workers on a free port and a directory of its
 * own. Every wait has a deadline. */
#ifndef PW_TEST_MASTER_HARNESS_H
#define PW_TEST_MASTER_HARNESS_H

#include <jansson.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/base/base.h"

struct rig {
	char dir[64];		/* FAKE_DIR; run_dir is below it */
	char socket[96];
	pid_t master;
	unsigned port;
};

/* Lines that are there if `extra` has none of their own: no worker is killed
 * because the machine is slow. Killed while it looks for leaks at its exit, it
 * would leave a line of LeakSanitizer's. */
#define RIG_STUCK "stuck_timeout = 1h\n"
#define RIG_STOP "stop_timeout = 1m\n"

/* extra: further lines of the [server] section, or "". Waits for "ready:". */
void rig_start(struct rig *r, unsigned workers, const char *extra);
/* The same with programs of its own, dir/pairwire and dir/worker, that can be
 * replaced. */
void rig_start_installed(struct rig *r, unsigned workers, const char *extra);
/* The same, but dir/pairwire is a symbolic link to dir/first. */
void rig_start_linked(struct rig *r, unsigned workers);
/* Puts a copy of the fake worker ("worker") or the master there at once (rename);
 * version: what it says it is, as long as ours. */
void rig_install(const struct rig *r, const char *name, const char *version);
/* A shell script instead. */
void rig_install_script(const struct rig *r, const char *name, const char *text);
/* Without waiting. port 0: a free one. */
void rig_spawn(struct rig *r, unsigned workers, unsigned port,
	       const char *run_dir, const char *extra);
/* The exit status, or -1 when it had to be killed. */
int rig_wait(struct rig *r);
/* SIGTERM; asserts exit status 0; removes the directory. */
void rig_stop(struct rig *r);
void rig_remove(struct rig *r);		/* the directory */

/* FAKE_DIR/name, a switch of the fake worker. */
void rig_set(const struct rig *r, const char *name);
void rig_unset(const struct rig *r, const char *name);
/* Waits until the text is in FAKE_DIR/file ("events" or "log"). */
bool rig_saw(const struct rig *r, const char *file, const char *fmt, ...)
	PRINTF(3, 4);
/* Without waiting. */
bool rig_sees(const struct rig *r, const char *file, const char *fmt, ...)
	PRINTF(3, 4);
int rig_count(const struct rig *r, const char *file, const char *text);

/* A connection; -1 on failure. */
int rig_connect(const struct rig *r);
/* Its line, or "" after a minute or an end. Closes fd. */
void rig_answer(int fd, char out[64]);

/* Runs pairwirectl; its status. out may be NULL. */
int rig_ctl(const struct rig *r, const char *args, char *out, size_t n);
/* The same, without waiting for it yet. */
FILE *rig_ask(const struct rig *r, const char *args);
int rig_asked(FILE *f, char *out, size_t n);
json_t *rig_json(const struct rig *r, const char *args);
int64_t rig_slot(const struct rig *r, unsigned slot, const char *key);

#endif
