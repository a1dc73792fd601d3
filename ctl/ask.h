/* One question to the master, one answer. The master is not trusted: whatever it
 * says or fails to say ends in a sentence, in time. */
#ifndef PW_CTL_ASK_H
#define PW_CTL_ASK_H

#include <jansson.h>

#include "common/base/base.h"
#include "ctl/command.h"

/* Asks cmd with call's arguments; all of it, connecting included, within
 * deadline_ms. EXIT_OK and the answer's data (the caller's; as it came: see
 * answer_clean()), else the program's status after a line on standard error.
 * A master that is being replaced says that nothing was done, and is asked again;
 * one that hangs up without having answered anything was asked by too many: what
 * only looks is asked again then, too. */
int ask(const struct call *call, const char *cmd, int deadline_ms,
	json_t **data_out) MUST_CHECK;
/* The same without a word: 0 or -errno; -EREMOTEIO is a refusal, with its text
 * in error_out (the caller's) unless that is NULL. */
int ask_quietly(const struct call *call, const char *cmd, int deadline_ms,
		json_t **data_out, char **error_out) MUST_CHECK;

/* Control characters of all its strings become '?': they would be commands to
 * the terminal. */
void answer_clean(json_t *answer);

#endif
