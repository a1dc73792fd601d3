/* Colours, where they are seen: on a terminal that knows them, unless NO_COLOR
 * (https://no-color.org) is set. */
#ifndef PW_CTL_COLOUR_H
#define PW_CTL_COLOUR_H

#include <stdio.h>

#include "common/base/base.h"

enum colour {
	COLOUR_NONE,
	COLOUR_HEAD,	/* of a table */
	COLOUR_GOOD,
	COLOUR_WARN,
	COLOUR_BAD,
	COLOUR__COUNT
};

bool colour_wanted(FILE *f);
/* What switches it on, and off again; "" where there are none. */
const char *colour_on(FILE *f, enum colour c);
const char *colour_off(FILE *f, enum colour c);
/* Without looking at a terminal. */
const char *colour_code(enum colour c);
#define COLOUR_OFF "\033[0m"

#endif
