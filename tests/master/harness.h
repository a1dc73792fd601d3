/* Runs the real master with fake workers on a free port and a directory of its
 * own. Every wait has a deadline. */
#ifndef PW_TEST_MASTER_HARNESS_H
#define PW_TEST_MASTER_HARNESS_H

#include <jansson.h>
#include <sys/types.h>

#include "common/base/base.h"

struct rig {
	char dir[64];		/* FAKE_DIR; run_dir is below it */
	char socket[96];
	pid_t master;
	unsigned port;
};

/* extra: further lines of the [server] section, or "". Waits for "ready:". */
void rig_start(struct rig *r, unsigned workers, const char *extra);
/* Without waiting. port 0: a free one. */
void rig_spawn(struct rig *r, unsigned workers, unsigned port,
	       const char *run_dir, const char *extra);
/* The exit status, or -1 when it had to be killed after `ms`. */
int rig_wait(struct rig *r, int ms);
/* SIGTERM; asserts exit status 0; removes the directory. */
void rig_stop(struct rig *r);
void rig_remove(struct rig *r);		/* the directory */

/* FAKE_DIR/name, a switch of the fake worker. */
void rig_set(const struct rig *r, const char *name);
void rig_unset(const struct rig *r, const char *name);
/* Waits until the text is in FAKE_DIR/file ("events" or "log"). */
bool rig_saw(const struct rig *r, const char *file, int ms, const char *fmt, ...)
	PRINTF(4, 5);
int rig_count(const struct rig *r, const char *file, const char *text);

/* A connection; -1 on failure. */
int rig_connect(const struct rig *r);
/* Its line, or "" after ms or an end. Closes fd. */
void rig_answer(int fd, int ms, char out[64]);

/* Runs pairwirectl; its status. out may be NULL. */
int rig_ctl(const struct rig *r, const char *args, char *out, size_t n);
json_t *rig_json(const struct rig *r, const char *args);
int64_t rig_slot(const struct rig *r, unsigned slot, const char *key);

#endif
