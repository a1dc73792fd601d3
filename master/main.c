/* pairwire: the master. Reads the configuration, opens the listening sockets,
 * runs the workers, answers on the control socket and the admin listener. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/conf/conf.h"
#include "common/loop/loop.h"
#include "master/admin.h"
#include "master/control.h"
#include "master/explain.h"
#include "master/listener.h"
#include "master/paths.h"
#include "master/query.h"
#include "master/run_dir.h"
#include "master/status.h"
#include "master/status_line.h"
#include "master/supervisor.h"

#define WORKERS_MAX 512

struct master {
	struct conf *conf;
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
	struct admin *admin;	/* NULL: off */
};

static void usage(FILE *f)
{
	fputs("usage: pairwire [-c FILE] [-t]\n"
	      "  -c FILE  configuration (default: " SYSCONFDIR "/pairwire.conf,\n"
	      "           if it is there)\n"
	      "  -t       check the configuration and exit\n"
	      "  -V       print the version\n"
	      "  -h       print this\n"
	      "Runs in the foreground. SIGTERM or SIGINT stops it; a second one\n"
	      "stops it at once.\n", f);
}

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

/* From main()'s first line until somebody watches for them, so that a stop that
 * comes early is an orderly one, too. Workers are started with none blocked. */
static void hold_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(how, &set, NULL);
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

static void on_all_ready(void *arg)
{
	const struct master *m = arg;

	log_info("ready: %u workers on %s", supervisor_slots(m->sup),
		 listeners_name(m->listeners));
	if (m->admin != NULL)
		log_info("metrics and health: http://%s", admin_name(m->admin));
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
	supervisor_stop(m->sup);
}

static void on_hangup(void *arg)
{
	(void)arg;
	log_warn("SIGHUP: reload is not supported yet; restart to read the "
		 "configuration again");
}

static void do_status(void *arg, struct control_request r, const json_t *args)
{
	struct master *m = arg;

	(void)args;
	control_answer(r, status_json(m->status, m->sup));
}

static void do_user(void *arg, struct control_request r, const json_t *args)
{
	struct master *m = arg;

	queries_ask(m->queries, r, "user", args, "devices");
}

static void do_explain(void *arg, struct control_request r, const json_t *args)
{
	const char *id = json_string_value(json_array_get(args, 0));
	struct master *m = arg;

	if (explain_is_id(id))
		control_answer(r, explain_json(m->explain, m->sup, id));
	else
		control_refuse(r, "that is no message's id: they have 24 "
			       "hexadecimal digits");
}

/* All that others may hold already. */
static int open_sockets(struct master *m, unsigned workers)
{
	const struct control_handlers handlers = { do_status, do_user,
						    do_explain, m };
	char err[ADMIN_ERR_MAX];
	int rc = run_dir_take(m->conf->run_dir, &m->lock, err);

	if (rc == 0)
		rc = listeners_open(m->conf->listen, (unsigned)m->conf->port,
				    workers, &m->listeners, err);
	if (rc == 0 && *m->conf->admin_listen != '\0')
		rc = admin_new(m->conf->admin_listen, &m->admin, err);
	if (rc == 0)
		rc = control_new(m->loop, m->conf->control_socket, &handlers,
				 &m->control, err);
	if (rc != 0)
		log_err("%s", err);
	return rc;
}

/* One line says why, and the process ends. */
static int start(struct master *m)
{
	const struct supervisor_events events = { on_all_ready, on_all_stopped,
						  on_answer, on_died, m };
	unsigned workers = count_workers(m->conf);
	int rc;

	m->worker_path = path_worker();
	if (access(m->worker_path, X_OK) == -1) {
		rc = -errno;
		log_err("worker program %s: %s", m->worker_path, strerror(-rc));
		return rc;
	}
	rc = open_sockets(m, workers);
	if (rc != 0)
		return rc;
	m->status = status_new(m->conf, m->listeners, admin_name(m->admin),
			       workers);
	m->explain = explain_new(workers);
	rc = supervisor_new(m->loop, m->conf, m->listeners, workers,
			    m->worker_path, &events, &m->sup);
	if (rc != 0) {
		log_err("cannot start workers: %s", strerror(-rc));
		return rc;
	}
	m->queries = queries_new(m->loop, m->sup);
	m->status_line = status_line_new(m->loop, m->conf->status_interval,
					 m->status, m->sup);
	if (m->admin != NULL)
		admin_start(m->admin, m->loop, m->status, m->sup);
	loop_signal(m->loop, SIGTERM, on_stop_signal, m);
	loop_signal(m->loop, SIGINT, on_stop_signal, m);
	loop_signal(m->loop, SIGHUP, on_hangup, m);
	hold_signals(SIG_UNBLOCK);
	return 0;
}

static int run(struct conf *conf)
{
	struct master m = { .conf = conf, .lock = -1 };
	int rc;

	keep_to_ourselves();
	raise_descriptor_limit();
	m.loop = loop_new();
	rc = start(&m);
	if (rc == 0) {
		loop_run(m.loop);
		log_info("stopped");
	}
	queries_free(&m.queries);
	admin_free(&m.admin);
	status_line_free(&m.status_line);
	control_free(&m.control);
	supervisor_free(&m.sup);
	status_free(&m.status);
	explain_free(&m.explain);
	listeners_close(&m.listeners);
	free(m.worker_path);
	loop_free(&m.loop);
	if (m.lock != -1)
		close(m.lock);
	return rc == 0 ? 0 : 1;
}

static int check(const char *path)
{
	struct conf *conf = NULL;
	char err[CONF_ERR_MAX];

	hold_signals(SIG_UNBLOCK);
	if (conf_load(path, &conf, err) != 0) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	printf("%s: ok\n", path != NULL ? path : "environment and defaults");
	conf_free(&conf);
	return 0;
}

static int serve(const char *path)
{
	enum log_level level = LOG_LVL_INFO;
	struct conf *conf = NULL;
	char err[CONF_ERR_MAX];
	int rc;

	log_init("master", level);
	if (conf_load(path, &conf, err) != 0) {
		log_err("%s", err);
		return 1;
	}
	if (log_level_parse(conf->log_level, &level) == 0)
		log_init("master", level);
	signal(SIGPIPE, SIG_IGN);
	rc = run(conf);
	conf_free(&conf);
	return rc;
}

int main(int argc, char **argv)
{
	const char *path = path_default_conf();
	bool only_check = false;
	int opt;

	hold_signals(SIG_BLOCK);
	while ((opt = getopt(argc, argv, "c:tVh")) != -1) {
		switch (opt) {
		case 'c':
			path = optarg;
			break;
		case 't':
			only_check = true;
			break;
		case 'V':
			puts("pairwire " PACKAGE_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return 2;
	}
	return only_check ? check(path) : serve(path);
}
