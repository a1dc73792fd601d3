/* Deadlines of one common length, kept by many objects: a list in order of
 * expiry with a single timer, so arming, moving and dropping one is O(1)
 * whatever the number of sessions. Expiries that follow another within 1/256 of
 * the length wait until then, and run together. */
#ifndef PW_DEADLINES_H
#define PW_DEADLINES_H

#include "common/base/list.h"
#include "common/loop/loop.h"

struct deadline {
	struct list node;
	int64_t due_us;		/* monotonic */
};

struct deadlines {
	struct list queue;
	struct timer timer;
	int64_t length_us;
	void (*expired)(struct deadline *d, void *arg);
	void *arg;
};

/* length in ms. expired() is called once per expiry, the deadline already
 * dropped (it may be armed again, or its owner freed). */
void deadlines_init(struct deadlines *q, struct loop *l, int64_t length_ms,
		    void (*expired)(struct deadline *d, void *arg), void *arg);
void deadlines_free(struct deadlines *q);	/* drops all */
/* Another length, also for those that are armed: each counts from when it did.
 * Whatever is overdue then expires in the loop's next turn. */
void deadlines_set_length(struct deadlines *q, int64_t length_ms);

void deadline_init(struct deadline *d);
/* Due `length` from now; moves it when armed already. */
void deadline_arm(struct deadlines *q, struct deadline *d);
/* The same for one that follows another, which was due at since_us: its length
 * counts from there, so that the loop's lateness does not add up. A loop that
 * stood still for more than half of it is not made up for. Among others it may
 * come by as much too late. */
void deadline_arm_since(struct deadlines *q, struct deadline *d,
			int64_t since_us);
void deadline_drop(struct deadline *d);
/* Expires what is due by now. The timer may be some ms late: for whoever can
 * see that. */
void deadlines_run(struct deadlines *q);
static inline bool deadline_armed(const struct deadline *d)
{
	return d->node.next != &d->node;
}

#endif
