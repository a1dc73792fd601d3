/* pairwire-pushd: takes push events from the queue, and has FCM and APNs tell
 * the users' devices. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>

#include "common/base/log.h"
#include "common/conf/conf.h"
#include "common/loop/loop.h"
#include "common/service/journal.h"
#include "common/service/signals.h"
#include "pushd/pushd.h"

static void usage(FILE *f)
{
	fputs("usage: pairwire-pushd [-c FILE] [-t] [--dry-run]\n"
	      "  -c FILE      configuration (default: " SYSCONFDIR "/pairwire.conf,\n"
	      "               if it is there)\n"
	      "  -t           check configuration, texts and credentials, and exit\n"
	      "  --dry-run    tell what would be sent instead of sending it: a line of\n"
	      "               JSON on standard output for each notification\n"
	      "  -V           print the version\n"
	      "  -h           print this\n"
	      "Runs in the foreground. SIGHUP reads all files again. SIGTERM or SIGINT\n"
	      "stops it; a second one stops it at once.\n", f);
}

static void on_stop_signal(void *arg)
{
	pushd_stop(arg);
}

static void on_hangup(void *arg)
{
	pushd_reload(arg);
}

static int check(const struct pushd_options *o)
{
	char err[PUSHD_ERR_MAX];

	signals_release();
	if (pushd_check(o, err) != 0) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	printf("%s: ok\n", o->conf_path != NULL ? o->conf_path :
						  "environment and defaults");
	return 0;
}

static int serve(const struct pushd_options *o)
{
	struct loop *l = loop_new();
	struct pushd *p = NULL;
	char err[PUSHD_ERR_MAX];
	int rc;

	log_init("pushd", LOG_LVL_INFO);
	journal_open("pairwire-pushd");
	signal(SIGPIPE, SIG_IGN);
	rc = pushd_new(l, o, &p, err);
	if (rc == 0) {
		loop_signal(l, SIGTERM, on_stop_signal, p);
		loop_signal(l, SIGINT, on_stop_signal, p);
		loop_signal(l, SIGHUP, on_hangup, p);
		signals_release();
		loop_run(l);
		pushd_free(&p);
		log_info("stopped");
	} else {
		log_err("%s", err);
	}
	loop_free(&l);
	/* Another start would fail as this one did. */
	if (rc == -EINVAL)
		return EX_CONFIG;
	return rc == 0 ? 0 : 1;
}

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	struct pushd_options o = { .conf_path = conf_default_path() };
	bool only_check = false;
	int opt;

	signals_hold();
	while ((opt = getopt_long(argc, argv, "c:tVh", long_options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o.conf_path = optarg;
			break;
		case 't':
			only_check = true;
			break;
		case 'n':
			o.dry = true;
			break;
		case 'V':
			puts("pairwire-pushd " PACKAGE_VERSION);
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
	return only_check ? check(&o) : serve(&o);
}
