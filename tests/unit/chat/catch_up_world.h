/* ben's device catching up, with the store, the directory, the router and its
 * socket faked. Suite "catch_up" sets it up and takes it down. */
#ifndef PW_CATCH_UP_WORLD_H
#define PW_CATCH_UP_WORLD_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "worker/chat/catch_up_impl.h"
#include "worker/directory.h"

#define NOW_US 5000000000LL
#define ROWS_MAX 1000

/* The store: match "m1" of anna and ben. */
extern struct message db[ROWS_MAX];
extern char ids[ROWS_MAX][MESSAGE_ID_LEN + 1];
extern size_t nrows;
extern bool store_is_up;

/* from anna (0) or ben (1) to the other */
struct message *row(unsigned from, int64_t pos);

enum asked { NOTHING, MISSED, RECEIPTS, COUNT };
/* The query that waits for its answer. */
struct query {
	enum asked what;
	struct store_missed q;
	void *cb;
	void *arg;
};
extern struct query asked;

void answer(void);		/* what the contracts of the store say, of db */
void answer_err(int err);
/* The queries that want to be asked are, and answered; pongs come at once. */
void settle(void);

/* The rest of the world. */
extern char sent[4000][120];	/* to ben: the event's name and the message's id */
extern int nsent;
extern size_t nread;	/* rows that answer() gave */
extern uint32_t marks;
struct dir {
	bool async;
	int err;
	bool ended;
	directory_match_cb *cb;
	void *arg;
};
extern struct dir dir;
extern void (*entered)(void *arg, int err);
extern void *entered_arg;
extern unsigned made_good;
extern int64_t good_us;		/* nothing published up to then was lost; 0: who knows */
extern const char *accepted_as;	/* "recovered" or "anew" */

extern struct chat c;
extern struct device *ben;	/* NULL: he left */

struct device *device(void);	/* a new one of ben's, as if just connected */
void connect_ben(void);
void leave(void);
/* m comes to ben from another device. */
enum emitted live(const struct message *m);
/* sent[] is exactly the rows first to last, in order. */
void sent_rows(size_t first, size_t last);

#endif
