/* One line in the log every status_interval:
 *   status: connections=2 sockets=2 users=2 online=2 rooms=4 messages_per_s=0.4
 *   workers=2/2 backends_down=redis,store
 * (in one line; the last field only if a serving worker misses one). */
#ifndef PW_STATUS_LINE_H
#define PW_STATUS_LINE_H

#include <stdint.h>

struct loop;
struct status;
struct status_line;
struct supervisor;

/* All borrowed. ms 0: no line. */
struct status_line *status_line_new(struct loop *l, int64_t ms,
				    struct status *s,
				    const struct supervisor *sup);
/* The next line comes after ms from now, unless it was ms before. */
void status_line_set_interval(struct status_line *l, int64_t ms);
void status_line_free(struct status_line **l);

#endif
