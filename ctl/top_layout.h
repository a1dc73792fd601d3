/* What `top` shows: samples to lines. No I/O, no terminal. */
#ifndef PW_CTL_TOP_LAYOUT_H
#define PW_CTL_TOP_LAYOUT_H

#include "common/base/buf.h"
#include "ctl/top_sample.h"

struct top_view {
	int columns;
	int lines;		/* 0: as many as it takes */
	size_t first;		/* worker shown first; as far as there are */
	bool colour;
	const char *clock;	/* for the upper right corner; "" */
	const char *trouble;	/* said instead of what is well; NULL */
	bool keys;		/* the last line says which there are */
};

/* At most view->lines lines of at most view->columns characters, each with "\n".
 * Columns stay where they are while numbers change; those that do not fit are
 * left out, nothing is cut in half. before NULL: no rates yet. How far `first`
 * can go. */
size_t top_layout(const struct top_sample *before, const struct top_sample *now,
		  const struct top_view *view, struct buf *out);

#endif
