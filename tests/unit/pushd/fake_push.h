/* All that delivery talks to, in memory: devices, marks, message store, senders,
 * queue. Linked in place of the real ones. What is asked is answered in
 * fake_turn(), in order, unless its kind is held. What delivery does is written
 * down as text:
 *   send(D badge=N)  get(ID)  unread(USER)  had(KEY:D,D)  owe(ID)  ack(ENTRY)
 *   reject(ENTRY N: REASON)  pause(1)  delete(D)
 * and, with trace_asks, devices(USER) and marks(KEY,KEY). */
#ifndef PW_FAKE_PUSH_H
#define PW_FAKE_PUSH_H

#include <criterion/criterion.h>

#include "common/loop/loop.h"
#include "pushd/delivery.h"
#include "pushd/device.h"
#include "pushd/meters.h"
#include "pushd/outcome.h"
#include "tests/unit/pushd/fake_loop.h"

enum fake_kind { F_DEVICES, F_MARKS, F_HAD, F_GET, F_UNREAD, F_OWE, F_SEND,
		 F__COUNT };

struct fake {
	struct loop *loop;
	struct delivery *d;
	struct delivery_conf conf;
	bool store;			/* there is one */
	int err[F__COUNT];		/* they answer with this */
	bool held[F__COUNT];
	unsigned calls[F__COUNT];
	size_t waiting[F__COUNT];	/* not answered */
	bool trace_asks;
	bool trace_off;
	int64_t badge;			/* of the marks */
	size_t unread;			/* of the store */
	int64_t delivered_at_ms, read_at_ms;	/* of any message; -1, -1: no row */
	bool no_fcm;			/* credentials */
	size_t apps;			/* are configured */
	const char *slow;		/* this device's sends are held; NULL: none */
	struct outcome all;		/* of what has none of its own; kind OK */
	bool paused;
	size_t acked, rejected;
};
extern struct fake fake;

/* A delivery with the usual settings, and no devices: fake.conf and fake.store may be
 * changed before fake_open(). */
void fake_setup(void);
void fake_open(void);
void fake_teardown(void);	/* closes too; answers what waits */
void fake_close(void);		/* delivery_free() */

/* id "d1" has the token "t-d1". provider "fcm", "apns"; app "": the default. */
void fake_device(const char *user, const char *id, enum provider p,
		 const char *app);
void fake_updated(const char *id, int64_t updated_at_ms);
/* What the next try for this device ends with; repeated calls: the tries after
 * that. */
void fake_outcome(const char *id, enum outcome_kind kind, const char *reason,
		  int64_t retry_after_ms);
void fake_outcome_is(const char *id, const struct outcome *o);
/* Had it before. */
void fake_mark(const char *key, const char *id);

void fake_turn(void);
void fake_turn_once(void);	/* what was deferred, and one round of answers */
/* Turns, and lets time pass. */
void fake_pass(int64_t ms);
/* What was done since; borrowed until the next call. */
const char *fake_trace(void);
/* The lines of the log from here on are kept, and not written; what they are. */
void fake_log(void);
const char *fake_logged(void);
#define did(text)                                                           \
	do {                                                                \
		const char *did_ = fake_trace();                            \
		cr_assert_str_eq(did_, (text), "did: %s\nnot: %s", did_, (text)); \
	} while (0)

/* new_message to user of the message with this number: fake_id(). */
const char *fake_id(unsigned n);
void fake_message(const char *entry, const char *user, unsigned n);
void fake_event(const char *entry, const char *fmt, ...) PRINTF(2, 3);

#endif
