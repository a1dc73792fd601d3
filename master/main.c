/* pairwire: the master's program: options, then master.c. */
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include "common/base/log.h"
#include "common/conf/conf.h"
#include "common/service/journal.h"
#include "common/service/signals.h"
#include "master/upgrade/inheritance.h"
#include "master/master.h"
#include "master/upgrade/preflight.h"

static void usage(FILE *f)
{
	fputs("usage: pairwire [-c FILE] [-t]\n"
	      "  -c FILE  configuration (default: " SYSCONFDIR "/pairwire.conf,\n"
	      "           if it is there)\n"
	      "  -t       check the configuration and exit\n"
	      "  -V       print the version\n"
	      "  -h       print this\n"
	      "Runs in the foreground. SIGHUP reads the configuration again, SIGUSR2 runs\n"
	      "the installed programs in place of these (see pairwirectl reload, upgrade).\n"
	      "SIGTERM or SIGINT stops it; a second one stops it at once.\n", f);
}

static int check(const char *path)
{
	struct conf *conf = NULL;
	char err[CONF_ERR_MAX];

	signals_release();
	if (conf_load(path, CONF_FOR_SERVER, &conf, err) != 0) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	printf("%s: ok\n", path != NULL ? path : "environment and defaults");
	conf_free(&conf);
	return 0;
}

static int serve(const struct master_call *call)
{
	enum log_level level = LOG_LVL_INFO;
	struct conf *conf = NULL;
	char err[CONF_ERR_MAX];
	int rc;

	log_init("master", level);
	journal_open("pairwire");
	rc = conf_load(call->conf_path, CONF_FOR_SERVER, &conf, err);
	if (rc != 0) {
		log_err("%s", err);
		return master_status(rc, call);
	}
	if (log_level_parse(conf->log_level, &level) == 0)
		log_init("master", level);
	signal(SIGPIPE, SIG_IGN);
	return master_run(conf, call);
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ PREFLIGHT_OPTION, no_argument, NULL, 'p' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = conf_default_path();
	bool only_check = false, preflight = false;
	int opt, state;

	signals_hold();
	state = inheritance_take_fd();
	while ((opt = getopt_long(argc, argv, "c:tVh", long_options, NULL)) !=
	       -1) {
		switch (opt) {
		case 'c':
			path = optarg;
			break;
		case 't':
			only_check = true;
			break;
		case 'p':
			preflight = true;
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
	if (preflight)
		return preflight_run(argv[0], path, state);
	if (only_check)
		return check(path);
	return serve(&(struct master_call){ argv, path, state });
}
