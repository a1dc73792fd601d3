/* The terminal as one page: the alternate screen, keys as they are pressed. What
 * was there before comes back however we end: by a key, a signal, or an exit. */
#ifndef PW_CTL_SCREEN_H
#define PW_CTL_SCREEN_H

#include "common/base/base.h"

/* Of standard output; 80 by 24 when nobody knows. */
void screen_size(int *columns_out, int *lines_out);

/* Takes the terminal of standard input and output. 0 or -errno. */
int screen_open(void) MUST_CHECK;
void screen_close(void);
/* Shows the lines instead of what is there, without flicker. */
void screen_show(struct slice lines);

enum screen_key {
	SCREEN_NOTHING,		/* the time is over */
	SCREEN_QUIT,		/* q, Ctrl-C */
	SCREEN_CHANGED,		/* another size, or back from being stopped */
	SCREEN_UP, SCREEN_DOWN, SCREEN_PAGE_UP, SCREEN_PAGE_DOWN,
	SCREEN_HOME, SCREEN_END,
	SCREEN_OTHER,
};
/* Waits so long at most. SIGTERM and SIGHUP end the process here, with the
 * terminal as it was; Ctrl-Z stops it until it is continued. */
enum screen_key screen_wait(int64_t ms);

#endif
