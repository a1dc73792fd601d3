/* `pairwirectl top`. */
#ifndef PW_CTL_TOP_H
#define PW_CTL_TOP_H

#include "ctl/command.h"

/* On a terminal a screen that is drawn each second (-d) until q, or COUNT times
 * (-n); with -b, or when it is no terminal, plain lines: there once, unless -n
 * says otherwise. The program's status. */
int top_run(const struct call *call);

#endif
