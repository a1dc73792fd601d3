/* pairwirectl: asks the master over its control socket. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "ctl/command.h"

/* The control socket's path from the configuration; NULL: told why. */
static char *configured_socket(const char *conf_path)
{
	struct conf *conf = NULL;
	char err[CONF_ERR_MAX];
	char *path;

	if (conf_path == NULL)
		conf_path = conf_default_path();
	/* Nothing of it is secret. As a unit's ExecReload= we are told of credentials
	 * that we may not read (systemd 252). */
	unsetenv("CREDENTIALS_DIRECTORY");
	if (conf_load(conf_path, CONF_FOR_TOOL, &conf, err) != 0) {
		fprintf(stderr, "pairwirectl: %s\n", err);
		return NULL;
	}
	path = mem_strdup(conf->control_socket);
	conf_free(&conf);
	return path;
}

static int unknown(const char *name)
{
	const char *near = command_nearest(name);

	fprintf(stderr, "pairwirectl: there is no command '%s'", name);
	if (near != NULL)
		fprintf(stderr, "; did you mean '%s'?\n", near);
	else
		fputs("; see pairwirectl help\n", stderr);
	return EXIT_USAGE;
}

/* `help`, `help NAME`, and --help wherever it stands. */
static int help(char **words, int n)
{
	const char *name = n > 0 && strcmp(words[0], "help") == 0 ? words[1] :
								    words[0];
	const struct command *c = name != NULL ? command_find(name) : NULL;

	if (name != NULL && strcmp(name, "help") != 0 && c == NULL)
		return unknown(name);
	if (c != NULL)
		usage_one(stdout, c);
	else
		usage_all(stdout);
	return EXIT_OK;
}

/* What was printed may not have come through: a disk that is full. */
static int written(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "pairwirectl: the output: %s\n", strerror(errno));
	return status != EXIT_OK ? status : EXIT_REFUSED;
}

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, 'j' },
	{ "delay", required_argument, NULL, 'd' },
	{ "count", required_argument, NULL, 'n' },
	{ "batch", no_argument, NULL, 'b' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int run(char **words, int n, struct call *call, const char *conf_path)
{
	const struct command *c = command_find(words[0]);
	char *path;
	int status;

	if (strcmp(words[0], "help") == 0)
		return help(words, n);
	if (c == NULL)
		return unknown(words[0]);
	call->args = words + 1;
	call->nargs = n - 1;
	if (call->nargs < c->min || call->nargs > c->max ||
	    (strcmp(c->name, "top") != 0 &&
	     (call->delay_s != 0 || call->count != 0 || call->batch))) {
		usage_one(stderr, c);
		return EXIT_USAGE;
	}
	path = call->socket != NULL ? mem_strdup(call->socket) :
				      configured_socket(conf_path);
	if (path == NULL)
		return EXIT_USAGE;
	call->socket = path;
	status = command_run(c, call);
	free(path);
	return status;
}

static bool delay(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	if (*text != '\0' && *end == '\0' && *out >= 0.1 && *out <= 3600)
		return true;
	fprintf(stderr, "pairwirectl: -d %s: seconds, from 0.1 to 3600\n", text);
	return false;
}

static bool count(const char *text, int *out)
{
	char *end;
	long n = strtol(text, &end, 10);

	*out = (int)n;
	if (*text != '\0' && *end == '\0' && n >= 1 && n <= 1000000000)
		return true;
	fprintf(stderr, "pairwirectl: -n %s: a number from 1 on\n", text);
	return false;
}

int main(int argc, char **argv)
{
	static char program[] = "pairwirectl";
	struct call call = { 0 };
	const char *conf_path = NULL;
	bool wants_help = false, bad = false;
	int opt;

	/* getopt says who complains */
	argv[0] = program;
	while ((opt = getopt_long(argc, argv, "s:c:jd:n:bVh", long_options, NULL)) !=
	       -1) {
		switch (opt) {
		case 's':
			call.socket = optarg;
			break;
		case 'c':
			conf_path = optarg;
			break;
		case 'j':
			call.json = true;
			break;
		case 'd':
			bad |= !delay(optarg, &call.delay_s);
			break;
		case 'n':
			bad |= !count(optarg, &call.count);
			break;
		case 'b':
			call.batch = true;
			break;
		case 'V':
			puts("pairwirectl " PACKAGE_VERSION);
			return EXIT_OK;
		case 'h':
			wants_help = true;
			break;
		default:
			bad = true;
		}
	}
	if (bad) {
		fputs("see pairwirectl --help\n", stderr);
		return EXIT_USAGE;
	}
	if (wants_help)
		return written(help(argv + optind, argc - optind));
	if (optind == argc) {
		usage_all(stderr);
		return EXIT_USAGE;
	}
	return written(run(argv + optind, argc - optind, &call, conf_path));
}
