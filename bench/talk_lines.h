/* What the two of `pairwire-bench talk` say to each other. */
#ifndef PW_BENCH_TALK_LINES_H
#define PW_BENCH_TALK_LINES_H

#include "common/base/buf.h"

/* Who says line i: 0 or 1. Two lines in a row of one person are sent together,
 * without waiting in between. */
unsigned talk_line_speaker(unsigned i);
/* Appends line i, addressed to listener. No two lines are alike: the
 * conversation begins again after some, with a number behind each line. */
void talk_line_text(unsigned i, const char *listener, struct buf *out);

#endif
