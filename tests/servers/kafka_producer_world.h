/* A producer of the push queue on Kafka, what became of what was added, and how
 * long the loop's turns were meanwhile. */
#ifndef PW_KAFKA_PRODUCER_WORLD_H
#define PW_KAFKA_PRODUCER_WORLD_H

#include "common/queue/push_queue.h"
#include "tests/servers/kafka_admin.h"
#include "tests/servers/loop_wait.h"

#define PARTITIONS 7
/* Of a queue; a delivery takes five times that at most. Where all are to succeed,
 * and where some are to time out: others meanwhile must not. */
#define LONG_MS 6000
#define SHORT_MS 1500

extern struct loop *l;
extern const char *brokers;	/* whose books are looked at; set by the test */
extern char url[256];		/* of the queue; set by the test */
extern int ups, downs;
extern unsigned timeout_ms;	/* LONG_MS unless set */

/* For a suite's init and fini. */
void begin_world(void);
void end_world(void);

/* That no turn waits for anything, from here until it is said what they were for. */
void watch_turns(void);
void expect_short_turns(const char *what);

/* markers: NULL for none. */
struct push_queue *queue(struct redis *markers);

/* Adds, what became of each, and how many callbacks there were. */
struct adds {
	int n, called, ok;
	struct add {
		struct adds *all;
		int calls, err;
	} one[4000];
};

void add(struct push_queue *q, struct adds *s, const char *key,
	 const char *user, struct slice json);
/* Events "FROM" to "TO", of ten users. */
void add_numbered(struct push_queue *q, struct adds *s, int from, int to);

/* Called once each; and the topic has each that succeeded once, the others at
 * most once. */
void expect_books(const struct adds *s);

#endif
