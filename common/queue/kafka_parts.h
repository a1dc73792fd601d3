/* A Kafka consumer's partitions, and what of them is out. A partition that is
 * lost stays until its last entry has an outcome, which is nobody's business any
 * more: so that what is out is known. Pure. */
#ifndef PW_KAFKA_PARTS_H
#define PW_KAFKA_PARTS_H

#include "common/base/list.h"
#include "common/queue/offset_window.h"

#define ENTRY_MAX 300		/* "topic/partition/offset" and a NUL */

enum part_state {
	PART_OURS,
	PART_LEAVING,		/* nothing new; outcomes still count */
	PART_LOST,
};

struct rd_kafka_queue_s;

struct part {
	struct list node;
	struct offset_window window;
	int32_t id;
	enum part_state state;
	int64_t stored;		/* told to librdkafka; -1: nothing yet */
	int64_t begin;		/* where the group was when it became ours; -1: not
				 * known (yet) */
	bool full;		/* nothing is taken of it, for its window */
	struct rd_kafka_queue_s *queue;	/* its events, while it is not lost; its
					 * owner's */
};

struct parts {
	struct list all;
	const char *topic;	/* borrowed */
	size_t n;
	size_t out;
};

void parts_init(struct parts *p, const char *topic);
void parts_clear(struct parts *p);
struct part *parts_add(struct parts *p, int32_t id);	/* one that is not ours */
/* NULL: not ours, or on its way out. */
struct part *parts_ours(const struct parts *p, int32_t id);
struct part *parts_not_lost(const struct parts *p, int32_t id);
/* Any is ours, and not full. */
bool parts_fetched(const struct parts *p);
/* The first of all becomes the last. */
void parts_turn(struct parts *p);
/* Frees part when nothing of it is out. */
void parts_lose(struct parts *p, struct part *part);
/* Entries without outcome of what is leaving. */
size_t parts_leaving(const struct parts *p);

/* One event came, with a key (p NULL: none), which is copied. entry: its name.
 * False: it came before. */
bool parts_take(struct parts *p, struct part *part, int64_t offset,
		struct slice key, char entry[ENTRY_MAX]) MUST_CHECK;
/* It has its outcome. False: it had one, or is not known. */
bool parts_finish(struct parts *p, const char *entry);
/* The outcome is another's to tell from now on (by parts_rejected): false, when
 * it is not waited for, else its key, borrowed. */
bool parts_reject(struct parts *p, const char *entry, struct slice *key_out)
	MUST_CHECK;
void parts_rejected(struct parts *p, const char *entry);

#endif
