/* Inside of the catch-up: catch_up.c (what a device does next), catch_up_page.c
 * (rows become events), catch_up_all.c (every device at once). */
#ifndef PW_CATCH_UP_IMPL_H
#define PW_CATCH_UP_IMPL_H

#include "common/loop/deadlines.h"
#include "common/store/message_store.h"
#include "worker/chat/catch_up.h"

#define CATCH_UP_PAGE 100

/* A row, by where it comes in a query's order. */
struct row_at {
	int64_t pos;		/* of receipts: chg */
	char id[MESSAGE_ID_LEN + 1];
};

enum catch_up_phase {
	CATCH_UP_OPENING,	/* CONNECT is not answered: may it recover? */
	CATCH_UP_COUNTING,	/* the same; its first page was full */
	CATCH_UP_MESSAGES,
	CATCH_UP_RECEIPTS,
};

/* What came live meanwhile; without a frame: what it was told it sent; without an
 * id: a receipt. */
struct held {
	struct list node;
	struct place at;
	bool tracked;
	char id[MESSAGE_ID_LEN + 1];
	size_t n;
	char frame[];
};

/* One query, and the page that came of it. */
struct asking {
	struct device *d;	/* referenced */
	bool stale;		/* the answer is of no use any more */
	enum {			/* the match of rows[i] */
		LOOK_NONE, LOOK_CALLING, LOOK_AWAY, LOOK_DONE, LOOK_FAILED
	} look;
	bool live;
	unsigned limit;
	size_t bytes;
	bool more;		/* there may be rows behind these */
	int64_t settled_us;	/* all up to here was in the store when asked */
	size_t n, i;		/* rows[i]: the next */
	struct message **rows;	/* owned */
};

struct catch_up {
	struct list node;	/* in ready or parked */
	struct device *d;
	enum catch_up_phase phase;
	bool waiting;		/* for the pong of mark */
	bool receipts;		/* as well as messages */
	bool own;		/* also what its user sent since it came */
	bool brief;		/* asks for the undelivered ones alone */
	bool again;		/* once more */
	bool dropped;		/* of held, for want of room */
	bool of_all;		/* counted in all_left */
	uint32_t mark;
	int64_t floor;		/* all from here on is looked at */
	int64_t from_us;	/* what was over by then is not its business; 0:
				 * it recovers, all is */
	struct row_at given;	/* the last row given */
	struct row_at settled;	/* the same, but none will turn up before it */
	unsigned unsettled;	/* rows from there to the last one given */
	size_t unsettled_bytes;	/* of their content */
	size_t written;		/* bytes, not yet confirmed */
	struct asking *asking;
	struct list held;
	unsigned nheld, nsent, nreceipts;	/* all; without a frame; an id */
	size_t held_bytes;
	struct deadline opening;
	char sid[SESSION_ID_LEN + 1];	/* to recover */
};

struct catch_ups {
	struct chat *c;
	struct list ready;	/* want to ask, in order */
	struct list parked;	/* could not be served; tried again */
	unsigned asking;	/* queries out, pages in work */
	struct task pump;
	struct timer tick;
	size_t share;		/* of the users, to be trimmed next */
	struct deadlines openings;
	/* catch_up_all(): */
	unsigned registering;	/* routes whose answer is awaited */
	unsigned all_left;	/* devices not yet done */
	unsigned loss;		/* router_losses() that they make good */
	bool all;		/* one is under way */
	bool all_failed;	/* not every route was registered */
};

/* catch_up.c */
void catch_up_pump(struct catch_ups *cs);
/* All rows of the page are given; or the device has enough (more). */
void catch_up_page_done(struct asking *a, bool more);
/* A match could not be looked up (the rest once more, later), or a is stale. */
void catch_up_page_failed(struct asking *a);

/* catch_up_page.c: calls one of the two above, now or later. a's rows are set. */
void catch_up_page_run(struct asking *a);
/* What was held back is given. */
void catch_up_give_held(struct catch_up *u);

/* catch_up_all.c */
/* One of all is done, or gone. */
void catch_up_all_less(struct catch_ups *cs);

#endif
