/* `pairwirectl upgrade` stays until it is over. */
#ifndef PW_CTL_UPGRADE_H
#define PW_CTL_UPGRADE_H

#include <jansson.h>
#include <stdio.h>

#include "ctl/command.h"

/* data: the command's answer. Looks at the status until it is done or has failed,
 * and says which; with --json it prints the status' "upgrade" (master/upgrade's
 * upgrade_json()). The program's status. */
int follow_upgrade(const struct call *call, const json_t *data);

/* Of a status' data: which program master and workers are of after one that failed,
 * and what to do; nothing when they are of the same. */
void print_half_upgraded(FILE *f, const json_t *status);

#endif
