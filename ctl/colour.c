#include "ctl/colour.h"

#include <stdlib.h>
#include <unistd.h>

bool colour_wanted(FILE *f)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (no != NULL && *no != '\0')
		return false;
	return term != NULL && *term != '\0' && strcmp(term, "dumb") != 0 &&
	       isatty(fileno(f));
}

/* ECMA-48 8.3.117 (SGR). */
const char *colour_code(enum colour c)
{
	static const char *const codes[COLOUR__COUNT] = {
		[COLOUR_NONE] = "",
		[COLOUR_HEAD] = "\033[1m",
		[COLOUR_GOOD] = "\033[32m",
		[COLOUR_WARN] = "\033[33m",
		[COLOUR_BAD] = "\033[1;31m",
	};

	return codes[c];
}

const char *colour_on(FILE *f, enum colour c)
{
	return c != COLOUR_NONE && colour_wanted(f) ? colour_code(c) : "";
}

const char *colour_off(FILE *f, enum colour c)
{
	return c != COLOUR_NONE && colour_wanted(f) ? COLOUR_OFF : "";
}
