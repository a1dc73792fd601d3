/* Lanes over a backend of a few lines: rows in an array, answers when the test
 * says so. */
#ifndef PW_LANES_WORLD_H
#define PW_LANES_WORLD_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/store_lanes.h"
#include "tests/servers/loop_wait.h"

#define TABLE_MAX 2000

extern struct loop *loop;
extern struct store_lanes *lanes;

extern struct message *table[TABLE_MAX];	/* what is stored */
extern size_t ntable;
extern struct store_batch *out[8];	/* batches in flight, by lane */
extern unsigned nbatches;
extern size_t biggest;
extern bool at_once;		/* answer within the call */

struct answer {
	enum store_result r;
	char first[MESSAGE_ID_LEN + 1];
	int64_t first_pos;
	int order;		/* -1: none yet */
};
extern int answered;
void on_answer(void *arg, enum store_result r, const struct message *first);

void start(unsigned nlanes, unsigned timeout_ms, unsigned queue_max);
void stop(void);

/* Its id is made of n. */
struct message message(int n, const char *content);
/* Content "bad" cannot be stored and spoils its batch. */
void insert(int n, const char *content, struct answer *a);
/* Carries out a lane's batch in flight, or says that it failed. */
void release(unsigned lane, int err);
const struct message *table_find(const char *id);

#endif
