/* pairwire-bench: speaks the client protocol to a Socket.IO server. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bench/command.h"
#include "common/base/base.h"
#include "common/base/log.h"

static const struct command commands[] = {
	{ "talk", "let two users hold a conversation and watch it", talk_run },
	{ "idle", "hold many connections that say nothing", idle_run },
};

static void usage(FILE *to)
{
	fprintf(to, "usage: pairwire-bench <command> [options]\n"
		    "\ncommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-8s %s\n", commands[i].name,
			commands[i].summary);
	fprintf(to, "\n`pairwire-bench <command> --help` lists its options.\n");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	log_init("bench", LOG_LVL_WARN);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		usage(stdout);
		return EXIT_FINE;
	}
	if (*name != '\0')
		fprintf(stderr, "pairwire-bench: unknown command: %s\n", name);
	usage(stderr);
	return EXIT_USAGE;
}
