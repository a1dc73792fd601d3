#include "config.h"	/* close_range, CPU_COUNT */

#include "master/master.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/ipc/ctl_socket.h"
#include "common/loop/loop.h"
#include "common/service/admin.h"
#include "common/service/journal.h"
#include "common/service/listener.h"
#include "common/service/notify.h"
#include "common/service/signals.h"
#include "master/status/explain.h"
#include "master/upgrade/inheritance.h"
#include "master/status/notices.h"
#include "master/paths.h"
#include "master/control/query.h"
#include "master/control/taken.h"
#include "master/reload.h"
#include "master/run_dir.h"
#include "master/sockets.h"
#include "master/status/status.h"
#include "master/status/status_line.h"
#include "master/upgrade/succession.h"
#include "master/workers/supervisor.h"
#include "master/upgrade/upgrade.h"

#define WORKERS_MAX 512

_Static_assert(RUN_DIR_ERR_MAX <= ADMIN_ERR_MAX, "open_sockets() has one for all");

static unsigned count_cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return 1;
	return CPU_COUNT(&set) > 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static unsigned count_workers(const struct conf *conf)
{
	unsigned n = conf->workers > 0 ? (unsigned)conf->workers : count_cores();

	return n < WORKERS_MAX ? n : WORKERS_MAX;
}

/* What we were started with by accident must not reach the workers. */
static void keep_to_ourselves(void)
{
	if (close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) == -1)
		log_debug("close_range: %s", strerror(errno));
}

/* Workers inherit it: a connection is a descriptor. */
static void raise_descriptor_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == -1)
		log_warn("descriptor limit cannot be raised: %s",
			 strerror(errno));
	if (getrlimit(RLIMIT_NOFILE, &r) == 0)
		log_info("descriptor limit: %llu per process",
			 (unsigned long long)r.rlim_cur);
}

static void say_ready(struct master *m)
{
	m->said_ready = true;
	journal_settle();
	notify_ready();
}

static void on_all_ready(void *arg)
{
	struct master *m = arg;

	log_info("ready: %u workers on %s", supervisor_slots(m->sup),
		 listeners_name(m->listeners));
	if (m->admin != NULL)
		log_info("metrics and health: http://%s", admin_name(m->admin));
	/* An upgrade is not over with this: the workers are those of before. */
	if (!upgrade_running(m->upgrade) && !m->said_ready)
		say_ready(m);
	notices_changed(m->notices);
}

static void on_all_stopped(void *arg)
{
	const struct master *m = arg;

	loop_stop(m->loop);
}

static void on_answer(void *arg, struct instance *i, uint32_t query,
		      struct slice json)
{
	struct master *m = arg;

	queries_answer(m->queries, i, query, json);
}

static void on_died(void *arg, struct instance *i)
{
	struct master *m = arg;

	status_worker_died(m->status, i);
	explain_worker_died(m->explain, i);
	if (m->queries != NULL)
		queries_worker_died(m->queries, i);
}

static void on_stop_signal(void *arg)
{
	struct master *m = arg;

	log_info(supervisor_stopping(m->sup) ? "stopping now" : "stopping");
	notify_stopping();
	/* In this order: the end of an upgrade is no READY then. */
	supervisor_stop(m->sup);
	upgrade_stop(m->upgrade);
	notices_changed(m->notices);
}

static void on_upgrade_signal(void *arg)
{
	struct master *m = arg;

	upgrade_start(m->upgrade, NULL);
}

static void on_leaving(void *arg)
{
	struct master *m = arg;

	notify_reloading();
	control_leave(m->control);
}

static void on_upgrade_over(void *arg)
{
	struct master *m = arg;

	if (supervisor_started(m->sup) && !supervisor_stopping(m->sup))
		say_ready(m);
	notices_changed(m->notices);
}

static void on_hangup(void *arg)
{
	char err[CONF_ERR_MAX];
	json_t *changes = NULL;

	if (reload(arg, &changes, err) == 0)	/* the log has what it says */
		taken_ask(arg, (struct control_request){ 0 }, "reload", changes);
}

/* All that others may hold already. */
static int open_sockets(struct master *m, unsigned workers)
{
	char err[ADMIN_ERR_MAX];
	int fd, rc = run_dir_take(m->conf->run_dir, &m->lock, err);
	const char *advice = "";

	if (rc == 0)
		rc = sockets_open(m->conf, workers, &m->listeners, err);
	if (rc == 0 && *m->conf->admin_listen != '\0')
		rc = admin_new("admin_listen", m->conf->admin_listen, &m->admin,
			       err);
	if (rc == 0) {
		fd = ctl_socket_listen(m->conf->control_socket, err);
		rc = fd < 0 ? fd : 0;
		advice = run_dir_advice(-rc);
	}
	if (rc != 0) {
		log_err("%s%s", err, advice);
		return rc;
	}
	m->control = control_new(m->loop, fd, m->conf->control_socket,
				 master_commands, master_commands_n, m);
	return 0;
}

/* h: an earlier master's; NULL: there was none. */
static int take_sockets(struct master *m, const struct inheritance *h,
			unsigned workers)
{
	char err[SUCCESSION_ERR_MAX];
	int rc;

	if (h == NULL)
		return open_sockets(m, workers);
	rc = succession_conf(m->conf, h, err);
	if (rc == 0)
		rc = succession_sockets(m, h, err);
	if (rc != 0)
		log_err("%s", err);
	return rc;
}

static int take_counts(struct master *m, const struct inheritance *h)
{
	char err[SUCCESSION_ERR_MAX];
	int rc = h != NULL ? succession_counts(m, h, err) : 0;

	if (rc != 0)
		log_err("%s", err);
	return rc;
}

static int take_workers(struct master *m, const struct inheritance *h,
			unsigned workers)
{
	const struct supervisor_events events = { on_all_ready, on_all_stopped,
						  on_answer, on_died, m };
	int rc;

	if (h != NULL)
		rc = supervisor_adopt(m->loop, m->conf, m->listeners, workers,
				      m->worker_path, &events, h->supervisor,
				      &m->sup);
	else
		rc = supervisor_new(m->loop, m->conf, m->listeners, workers,
				    m->worker_path, &events, &m->sup);
	if (rc != 0)
		log_err("cannot %s workers: %s", h != NULL ? "go on with the" :
			"start", strerror(-rc));
	return rc;
}

/* What `pairwirectl log` has set holds for the master, too, after an upgrade. */
static void take_log_orders(const struct master *m)
{
	const char *area;
	int level;

	for (size_t n = 0; supervisor_log_order(m->sup, n, &level, &area); n++)
		if (log_override(level, area) != 0)
			log_warn("log level of an unknown area: area=%s", area);
}

/* What is made of the others. */
static void make_rest(struct master *m)
{
	m->queries = queries_new(m->loop, m->sup);
	m->status_line = status_line_new(m->loop, m->conf->status_interval,
					 m->status, m->sup);
	m->notices = notices_new(m->loop, m->conf->status_interval, m->status,
				 m->sup);
	m->upgrade = upgrade_new(&(struct upgrade_host){
		.loop = m->loop, .supervisor = m->sup, .program = m->program,
		.argv = m->call->argv, .conf_path = m->call->conf_path,
		.save = succession_save, .leaving = on_leaving,
		.over = on_upgrade_over, .arg = m });
	m->pages = (struct pages){ m->status, m->sup };
	if (m->admin != NULL)
		pages_start(&m->pages, m->admin, m->loop);
}

/* One line says why, and the process ends. */
static int start(struct master *m, const struct inheritance *h)
{
	unsigned workers = h != NULL ?
		(unsigned)json_array_size(h->listeners) : count_workers(m->conf);
	int rc;

	m->worker_path = path_worker(m->program);
	if (access(m->worker_path, X_OK) == -1) {
		rc = -errno;
		log_err("worker program %s: %s", m->worker_path, strerror(-rc));
		return rc;
	}
	rc = take_sockets(m, h, workers);
	if (rc != 0)
		return rc;
	m->status = status_new(m->conf, m->listeners, admin_name(m->admin),
			       workers);
	m->explain = explain_new(workers);
	rc = take_counts(m, h);
	if (rc == 0)
		rc = take_workers(m, h, workers);
	if (rc != 0)
		return rc;
	take_log_orders(m);
	make_rest(m);
	loop_signal(m->loop, SIGTERM, on_stop_signal, m);
	loop_signal(m->loop, SIGINT, on_stop_signal, m);
	loop_signal(m->loop, SIGHUP, on_hangup, m);
	loop_signal(m->loop, SIGUSR2, on_upgrade_signal, m);
	if (h != NULL)
		upgrade_resume(m->upgrade, h);
	signals_release();
	return 0;
}

/* What an earlier master left, if one did. */
static int inherit(int fd, struct inheritance **out)
{
	char err[INHERITANCE_ERR_MAX];
	int rc;

	if (fd == -1)
		return 0;
	rc = inheritance_read(fd, out, err);
	close(fd);
	if (rc != 0)
		log_err(INHERITANCE_ENV ": %s", err);
	return rc;
}

int master_status(int rc, const struct master_call *call)
{
	/* Not a master's that takes over: a start can be without what was wrong. */
	if (rc == -EINVAL && call->state_fd == -1)
		return EX_CONFIG;
	return rc == 0 ? 0 : 1;
}

int master_run(struct conf *conf, const struct master_call *call)
{
	struct master m = { .call = call, .conf = conf, .lock = -1,
			    .program = path_self(call->argv[0]) };
	struct inheritance *before = NULL;
	int rc;

	keep_to_ourselves();
	/* The workers' MongoDB driver counts in /dev/shm, for a tool of its own: a
	 * file that a killed worker leaves behind. */
	setenv("MONGOC_DISABLE_SHM", "1", 0);
	raise_descriptor_limit();
	m.loop = loop_new();
	rc = inherit(call->state_fd, &before);
	if (rc == 0)
		rc = start(&m, before);
	inheritance_free(&before);
	if (rc == 0) {
		loop_run(m.loop);
		log_info("stopped");
	}
	upgrade_free(&m.upgrade);
	queries_free(&m.queries);
	admin_free(&m.admin);
	status_line_free(&m.status_line);
	notices_free(&m.notices);
	control_free(&m.control);
	supervisor_free(&m.sup);
	status_free(&m.status);
	explain_free(&m.explain);
	listeners_close(&m.listeners);
	free(m.worker_path);
	free(m.program);
	conf_free(&m.conf);
	loop_free(&m.loop);
	if (m.lock != -1)
		close(m.lock);
	return master_status(rc, call);
}
