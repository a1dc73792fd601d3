/* What pairwirectl prints for people: a function per row of ctl_rows.h, in
 * print_<name>.c. data is the answer's, without control characters; whatever it
 * is, nothing worse happens than a strange line. answer.h, table.h help. */
#ifndef PW_CTL_PRINT_H
#define PW_CTL_PRINT_H

#include <jansson.h>

#include "common/ipc/ctl_rows.h"

#define CTL_PRINT(name, words, min, max, who, help) \
	void print_##name(const json_t *data);
CTL_ROWS(CTL_PRINT)
#undef CTL_PRINT

#endif
