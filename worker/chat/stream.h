/* Streams: the sends of one sender in one match, in order (contract 3, M0, M1).
 * A stream remembers `last`, the sentAt it gave out or saw last, and holds its
 * sends while its match or `last` is being looked up. */
#ifndef PW_STREAM_H
#define PW_STREAM_H

#include "common/base/list.h"
#include "common/base/map.h"

struct stream {
	struct map_node node;
	struct list lru;
	struct list waiting;	/* sends not yet handed to the store, in order */
	unsigned inflight;	/* sends handed to the store */
	bool last_known;
	uint64_t generation;	/* of the user's stay that `last` belongs to */
	bool busy;		/* a look-up is under way */
	bool doubt;		/* of a send's outcome, since one was stored */
	int64_t last_ms;
	size_t sender_n;
	char key[];		/* sender, NUL, match, NUL */
};

struct streams {
	struct map map;
	struct list lru;	/* oldest use first */
	size_t max;
};

void streams_init(struct streams *ss, size_t max);
/* All must be idle. */
void streams_free(struct streams *ss);
/* Finds or makes it; idle ones leave when there are more than max. */
struct stream *stream_get(struct streams *ss, const char *sender_id,
			  const char *match_id);
static inline const char *stream_sender(const struct stream *s)
{
	return s->key;
}
static inline const char *stream_match(const struct stream *s)
{
	return s->key + s->sender_n + 1;
}
/* The sender is on another stay on this worker (struct user) than when `last` was
 * learnt: in between he may have sent elsewhere, unseen here. `last` is asked
 * for again; what is known stays its lower bound. */
void stream_stay(struct stream *s, uint64_t generation);
/* The next sentAt: now, or 1 ms after the last. */
int64_t stream_next_ms(struct stream *s, int64_t now_ms);
/* A copy of a message that another device sent was seen here. */
void streams_raise(struct streams *ss, struct slice sender_id,
		   struct slice match_id, int64_t sent_at_ms);

#endif
