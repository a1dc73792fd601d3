/* pairwirectl: asks the master over its control socket. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/ipc/ctl_protocol.h"
#include "master/control_rows.h"
#include "master/control_socket.h"
#include "master/ctl_print.h"
#include "master/paths.h"

enum { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

/* Longer than the master waits for its workers. */
#define TIMEOUT_MS 10000

static const struct command {
	const char *name;
	const char *args;
	int nargs;
	const char *help;
	void (*print)(const json_t *data);
} commands[] = {
#define COMMAND(name, args, nargs, help) \
	{ #name, args, nargs, help, print_##name },
	CONTROL_ROWS(COMMAND)
#undef COMMAND
};

static void usage(FILE *f)
{
	fputs("usage: pairwirectl [-s SOCKET | -c FILE] COMMAND [--json]\n"
	      "  -s, --socket SOCKET  the master's control socket\n"
	      "  -c, --config FILE    the master's configuration, to find it there\n"
	      "                       (default: " SYSCONFDIR "/pairwire.conf)\n"
	      "  -j, --json           print the answer as JSON\n"
	      "  -V, --version\n"
	      "  -h, --help\n"
	      "commands:\n", f);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %-7s %-10s  %s\n", commands[i].name,
			commands[i].args, commands[i].help);
	fputs("status: 0 ok, 1 refused or failed, 2 usage, 3 no master there\n", f);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int send_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t got = send(fd, at, n, MSG_NOSIGNAL);

		if (got == -1 && errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		}
	}
	return 0;
}

static int recv_all(int fd, void *p, size_t n)
{
	char *at = p;

	while (n > 0) {
		ssize_t got = recv(fd, at, n, 0);

		if (got == 0)
			return -EPIPE;
		if (got == -1 && errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		}
	}
	return 0;
}

/* One question, one answer. 0 or -errno. */
static int ask(int fd, json_t *question, json_t **out)
{
	char *text = json_dumps(question, JSON_COMPACT);
	uint32_t be;
	size_t n;
	int rc;

	if (text == NULL || strlen(text) > CTL_REQUEST_MAX) {
		free(text);
		return -EINVAL;
	}
	be = htonl((uint32_t)strlen(text));
	rc = send_all(fd, &be, sizeof(be));
	if (rc == 0)
		rc = send_all(fd, text, strlen(text));
	free(text);
	if (rc == 0)
		rc = recv_all(fd, &be, sizeof(be));
	if (rc != 0)
		return rc;
	n = ntohl(be);
	if (n > CTL_ANSWER_MAX)
		return -EPROTO;
	text = mem_alloc(n + 1);
	rc = recv_all(fd, text, n);
	if (rc == 0) {
		*out = json_loadb(text, n, 0, NULL);
		rc = *out != NULL ? 0 : -EPROTO;
	}
	free(text);
	return rc;
}

static int show(const struct command *cmd, const json_t *answer, bool json)
{
	const json_t *data = json_object_get(answer, "data");
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (!json_is_true(json_object_get(answer, "ok"))) {
		fprintf(stderr, "pairwirectl: %s\n",
			error != NULL ? error : "the master refused");
		return EXIT_REFUSED;
	}
	if (json) {
		json_dumpf(data, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		cmd->print(data);
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("pairwirectl");
		return EXIT_REFUSED;
	}
	return EXIT_OK;
}

static int unreachable(const char *socket_path, int rc)
{
	if (rc == -ETIMEDOUT)
		fprintf(stderr, "pairwirectl: the master at %s does not answer "
			"(waited %d s)\n", socket_path, TIMEOUT_MS / 1000);
	else
		fprintf(stderr, "pairwirectl: no master at %s: %s\n",
			socket_path, strerror(-rc));
	return EXIT_UNREACHABLE;
}

static int run(const char *socket_path, const struct command *cmd, char **args,
	       bool json)
{
	json_t *question, *list, *answer = NULL;
	int fd = control_socket_connect(socket_path, TIMEOUT_MS);
	int rc;

	if (fd < 0)
		return unreachable(socket_path, fd);
	list = json_array();
	for (int i = 0; i < cmd->nargs; i++)
		json_array_append_new(list, json_string(args[i]));
	question = json_pack("{s:i, s:s, s:o}", "v", CTL_VERSION, "cmd",
			     cmd->name, "args", list);
	rc = ask(fd, question, &answer);
	json_decref(question);
	close(fd);
	if (rc == -ETIMEDOUT)
		return unreachable(socket_path, rc);
	if (rc != 0) {
		fprintf(stderr, "pairwirectl: %s: %s\n", socket_path,
			strerror(-rc));
		return rc == -EINVAL ? EXIT_USAGE : EXIT_UNREACHABLE;
	}
	rc = show(cmd, answer, json);
	json_decref(answer);
	return rc;
}

/* The control socket's path from the configuration; NULL: told why. */
static char *configured_socket(const char *conf_path)
{
	struct conf *conf = NULL;
	char err[CONF_ERR_MAX];
	char *path;

	if (conf_path == NULL)
		conf_path = path_default_conf();
	if (conf_load_unchecked(conf_path, &conf, err) != 0) {
		fprintf(stderr, "pairwirectl: %s\n", err);
		return NULL;
	}
	path = mem_strdup(conf->control_socket);
	conf_free(&conf);
	return path;
}

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, 'j' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	const char *socket_path = NULL, *conf_path = NULL;
	const struct command *cmd;
	bool json = false;
	char *path;
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "s:c:jVh", long_options, NULL)) !=
	       -1) {
		switch (opt) {
		case 's':
			socket_path = optarg;
			break;
		case 'c':
			conf_path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'V':
			puts("pairwirectl " PACKAGE_VERSION);
			return EXIT_OK;
		case 'h':
			usage(stdout);
			return EXIT_OK;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	cmd = optind < argc ? find_command(argv[optind]) : NULL;
	if (cmd == NULL || argc - optind - 1 != cmd->nargs) {
		usage(stderr);
		return EXIT_USAGE;
	}
	path = socket_path != NULL ? mem_strdup(socket_path) :
				     configured_socket(conf_path);
	if (path == NULL)
		return EXIT_USAGE;
	rc = run(path, cmd, argv + optind + 1, json);
	free(path);
	return rc;
}
