/* The commands of pairwirectl: the rows of ctl_rows.h, each with what prints its
 * answer, and what some need beyond that. */
#ifndef PW_CTL_COMMAND_H
#define PW_CTL_COMMAND_H

#include <jansson.h>
#include <stdio.h>

#include "common/base/base.h"
#include "common/ipc/ctl_rows.h"

/* What the program ends with. */
enum { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

/* One run of the program. */
struct call {
	const char *socket;	/* the master's */
	char **args;
	int nargs;
	bool json;
	double delay_s;		/* top's: 0: not given */
	int count;		/* 0: not given */
	bool batch;
};

struct command {
	const char *name;
	const char *words;	/* as in the usage */
	int min;
	int max;
	enum ctl_who who;
	const char *help;
	void (*print)(const json_t *data);
};

/* What a command needs beyond being asked, printed and ending with 0. */
struct extra {
	const char *name;
	/* How long the answer may take, from connecting on; 0: 10 s. */
	int deadline_ms;
	/* The answer says that something is wrong: status 1, with --json too.
	 * NULL: never. */
	bool (*failed)(const json_t *data);
	/* Called with the answer, which is printed, but not with --json: then it
	 * prints what came of it. Its status is the program's. NULL: nothing more
	 * to do. */
	int (*follow)(const struct call *call, const json_t *data);
	/* Does all of it, without --json; NULL: asked and printed. */
	int (*run)(const struct call *call);
	const char *options;	/* for the usage; NULL: none of its own */
};

extern const struct command commands[];
extern const size_t commands_n;

/* NULL: none of that name. */
const struct command *command_find(const char *name);
/* The name that was probably meant; NULL: none is near. */
const char *command_nearest(const char *name);
/* Its status. */
int command_run(const struct command *c, const struct call *call);

/* As --json does. */
void print_json(const json_t *data);
void usage_all(FILE *f);
void usage_one(FILE *f, const struct command *c);

#endif
