/* The sub-commands of pairwire-bench. Each reads its own options and returns
 * the process's exit status: 0 all is well, 1 it is not (one line on standard
 * error says what), 2 it was called wrongly. */
#ifndef PW_BENCH_COMMAND_H
#define PW_BENCH_COMMAND_H

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);	/* argv[0] is the name */
};

int talk_run(int argc, char **argv);
int idle_run(int argc, char **argv);

#endif
