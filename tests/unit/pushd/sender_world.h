/* One sender on a fake HTTP/2 client and a clock that only tests move: what is
 * sent through it, and what became of it last. */
#ifndef PW_TEST_SENDER_WORLD_H
#define PW_TEST_SENDER_WORLD_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "pushd/sender.h"
#include "tests/unit/pushd/fake_h2_client.h"
#include "tests/unit/pushd/push_keys.h"

/* Made by a suite's init, and taken down by end_sender(), its fini. */
extern struct test_key key;
extern struct loop *loop;
extern struct sender *sender;

/* Outcomes so far, and the last one. */
extern size_t calls;
extern struct outcome last;
extern int64_t last_us;

/* With two connections and 7 s for an answer. */
struct sender_conf conf(const char *name, const char *url);
void end_sender(void);

/* Both clocks go on. */
void pass(int64_t ms);
/* One turn of the loop. */
void turn(void);

/* To device-1, priority 10, collapse id match-1; its outcome is counted. */
void send_body(const char *token, const char *body);
void send_to(const char *token);
void on_outcome(void *arg, const struct outcome *o, int64_t latency_us);
void cr_last(enum outcome_kind kind, const char *reason);

#endif
