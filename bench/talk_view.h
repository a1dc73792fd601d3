/* The lines that `pairwire-bench talk` prints: when, who, what. */
#ifndef PW_BENCH_TALK_VIEW_H
#define PW_BENCH_TALK_VIEW_H

#include "common/base/base.h"

/* Whose app a line is about. Names borrowed. */
void view_init(const char *name_a, const char *name_b);
/* One line: time since view_init, name of person (0 or 1), mark ("->", "<-" or
 * ""), text. Control characters of the text are not printed. */
void view_line(unsigned person, const char *mark, const char *fmt, ...)
	PRINTF(3, 4);

#endif
