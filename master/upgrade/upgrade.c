#include "config.h"

#include "master/upgrade/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/service/signals.h"
#include "master/upgrade/inheritance.h"
#include "master/workers/supervisor.h"
#include "master/upgrade/trial.h"

extern char **environ;

enum phase {
	PHASE_NONE,
	PHASE_TRIAL,
	PHASE_LEAVING,		/* signals are held; exec at the end of a turn */
	PHASE_REPLACING,	/* we are the new one */
};

struct upgrade {
	struct upgrade_host host;
	enum phase phase;
	struct trial *trial;
	struct control_request request;
	bool asked;		/* request waits for its answer */
	bool became;		/* we are the new one of the last */
	struct timer turn;
	struct task leave;
	/* What is told; 0, "" and NULL: nothing. */
	int64_t started_ms;	/* wall clock */
	int64_t finished_ms;
	char *from;
	char *to;
	char reason[TRIAL_TEXT_MAX];
};

bool upgrade_running(const struct upgrade *u)
{
	return u->phase != PHASE_NONE;
}

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = value != NULL ? mem_strdup(value) : NULL;
}

static json_t *text_or_null(const char *text)
{
	return text != NULL && *text != '\0' ? json_string(text) : json_null();
}

static json_t *time_or_null(int64_t ms)
{
	return ms != 0 ? json_integer(ms) : json_null();
}

json_t *upgrade_json(const struct upgrade *u)
{
	const char *state = u->phase != PHASE_NONE ? "running" :
			    u->started_ms == 0 ? "none" :
			    *u->reason == '\0' ? "done" : "failed";

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:I}",
			 "state", state,
			 "reason", text_or_null(u->reason),
			 "from", text_or_null(u->from),
			 "to", text_or_null(u->to),
			 "started", time_or_null(u->started_ms),
			 "finished", time_or_null(u->finished_ms),
			 "became", (int)u->became, "workers_before",
			 (json_int_t)supervisor_adopted(u->host.supervisor));
}

/* The reason is not all: who is of which program from now on, unless all end. */
static const char *what_is_left(const struct upgrade *u)
{
	return !u->became || supervisor_stopping(u->host.supervisor) ? "" :
		"; the master is the new program, the workers before it go on, and "
		"one that dies is replaced by the new program's";
}

/* reason NULL: it is done. */
static void end(struct upgrade *u, const char *reason)
{
	u->phase = PHASE_NONE;
	u->finished_ms = clock_wall_us() / 1000;
	trial_free(&u->trial);
	if (reason == NULL) {
		log_info("upgraded: from=%s to=%s", u->from, u->to);
	} else {
		snprintf(u->reason, sizeof(u->reason), "%s", reason);
		log_err("upgrade failed, nothing has changed for clients: %s%s",
			reason, what_is_left(u));
	}
	if (u->asked)
		control_refuse(u->request, "%s", u->reason);
	u->asked = false;
	u->host.over(u->host.arg);
}

static void end_errno(struct upgrade *u, const char *what, int rc)
{
	char why[TRIAL_TEXT_MAX];

	snprintf(why, sizeof(why), "%.180s: %s", what, strerror(-rc));
	end(u, why);
}

/* A new memfd; h_out's are the caller's. -errno: there is neither. */
static int save(struct upgrade *u, struct inheritance **h_out)
{
	struct inheritance *h = u->host.save(u->host.arg);
	int fd = -1, rc;

	if (h == NULL)
		return -EBUSY;

	h->upgrade = json_pack("{s:I}", "started", (json_int_t)u->started_ms);
	rc = inheritance_write(h, &fd);
	if (rc == 0)
		*h_out = h;
	else
		inheritance_free(&h);
	return rc == 0 ? fd : rc;
}

/* Returns only if it could not be done; then everything is as it was. */
static int become(struct upgrade *u)
{
	struct inheritance *h = NULL;
	int fd = save(u, &h), rc;
	char number[16];

	if (fd < 0)
		return fd;
	snprintf(number, sizeof(number), "%d", fd);
	setenv(INHERITANCE_ENV, number, 1);
	fcntl(fd, F_SETFD, 0);
	inheritance_pass(h, true);
	execve(u->host.program, u->host.argv, environ);
	rc = -errno;
	inheritance_pass(h, false);
	unsetenv(INHERITANCE_ENV);
	inheritance_free(&h);
	close(fd);
	return rc;
}

static void on_leave(void *arg)
{
	struct upgrade *u = arg;
	int rc;

	if (u->phase != PHASE_LEAVING)
		return;		/* told to stop in this very turn */
	u->host.leaving(u->host.arg);
	log_info("upgrade: this process becomes its new program: program=%s "
		 "from=%s to=%s", u->host.program, u->from, u->to);
	rc = become(u);
	signals_release();
	end_errno(u, u->host.program, rc);
}

/* Signals are held since the turn before this one: those that came earlier have
 * been seen by now. */
static void on_turn(void *arg)
{
	struct upgrade *u = arg;

	loop_defer(u->host.loop, &u->leave);
}

static void on_trial(void *arg, const char *version, const char *why)
{
	struct upgrade *u = arg;
	json_t *data;

	if (why != NULL) {
		end(u, why);
		return;
	}
	set_text(&u->to, version);
	trial_free(&u->trial);
	if (u->asked) {
		data = json_pack("{s:s, s:s, s:I, s:I}", "from", u->from, "to",
				 u->to, "pid", (json_int_t)getpid(), "started",
				 (json_int_t)u->started_ms);
		control_answer(u->request, data);
		u->asked = false;
	}
	u->phase = PHASE_LEAVING;
	signals_hold();
	timer_arm(&u->turn, 0);
}

/* NULL: it may begin. */
static const char *obstacle(const struct upgrade *u)
{
	const struct supervisor *s = u->host.supervisor;
	struct slot_view v;

	if (supervisor_stopping(s))
		return "the master is stopping";
	if (u->phase != PHASE_NONE)
		return "an upgrade is running already";
	for (unsigned i = 0; i < supervisor_slots(s); i++) {
		supervisor_slot(s, i, &v);
		if (v.successor != NULL)
			return "a worker is being replaced";
	}
	return NULL;
}

void upgrade_start(struct upgrade *u, const struct control_request *r)
{
	const char *why = obstacle(u);
	struct inheritance *h = NULL;
	int fd, rc;

	if (why != NULL) {
		log_warn("upgrade refused: %s", why);
		if (r != NULL)
			control_refuse(*r, "%s", why);
		return;
	}
	log_info("upgrade: the new program is tried: program=%s",
		 u->host.program);
	u->phase = PHASE_TRIAL;
	u->asked = r != NULL;
	if (r != NULL)
		u->request = *r;
	u->started_ms = clock_wall_us() / 1000;
	u->finished_ms = 0;
	u->became = false;
	u->reason[0] = '\0';
	set_text(&u->from, PACKAGE_VERSION);
	set_text(&u->to, NULL);
	fd = save(u, &h);
	if (fd < 0) {
		end_errno(u, "its state cannot be saved", fd);
		return;
	}
	inheritance_free(&h);
	rc = trial_start(u->host.loop, u->host.program, u->host.conf_path, fd,
			 on_trial, u, &u->trial);
	close(fd);
	if (rc != 0)
		end_errno(u, u->host.program, rc);
}

static void on_replaced(void *arg, const char *error)
{
	struct upgrade *u = arg;

	if (u->phase == PHASE_REPLACING)	/* else: told to stop meanwhile */
		end(u, error);
}

void upgrade_resume(struct upgrade *u, const struct inheritance *h)
{
	int rc;

	set_text(&u->from, h->version);
	set_text(&u->to, PACKAGE_VERSION);
	u->started_ms = json_integer_value(json_object_get(h->upgrade,
							   "started"));
	u->phase = PHASE_REPLACING;
	u->became = true;
	rc = supervisor_replace_all(u->host.supervisor, on_replaced, u);
	if (rc != 0)
		end_errno(u, "the workers cannot be replaced", rc);
}

void upgrade_stop(struct upgrade *u)
{
	if (u->phase == PHASE_NONE)
		return;
	if (u->phase == PHASE_LEAVING) {
		timer_disarm(&u->turn);
		task_cancel(&u->leave);
		signals_release();
	}
	end(u, "the master was told to stop");
}

struct upgrade *upgrade_new(const struct upgrade_host *host)
{
	struct upgrade *u = mem_zalloc(sizeof(*u));

	u->host = *host;
	timer_init(&u->turn, host->loop, on_turn, u);
	task_init(&u->leave, LOOP_REAP, on_leave, u);
	return u;
}

void upgrade_free(struct upgrade **up)
{
	struct upgrade *u = *up;

	if (u == NULL)
		return;
	trial_free(&u->trial);
	task_cancel(&u->leave);
	timer_free(&u->turn);
	free(u->from);
	free(u->to);
	free(u);
	*up = NULL;
}
