/* What the parts of delivery share: the events in hand (delivery.c), what is asked
 * about one (delivery_ask.c), its life (delivery_event.c), a device's
 * (delivery_attempt.c), what is looked at before it is tried again
 * (delivery_again.c), the line before a sender (delivery_line.c), one whose
 * credentials are refused (delivery_refused.c), dead tokens (delivery_tokens.c). */
#ifndef PW_PUSHD_DELIVERY_IMPL_H
#define PW_PUSHD_DELIVERY_IMPL_H

#include "common/base/list.h"
#include "common/base/map.h"
#include "common/loop/deadlines.h"
#include "common/loop/loop.h"
#include "common/protocol/push_event.h"
#include "common/store/message_store.h"
#include "pushd/breaker.h"
#include "pushd/delivery.h"
#include "pushd/guard.h"
#include "pushd/sender.h"

struct delivery {
	struct loop *loop;
	struct delivery_conf conf;
	struct delivery_parts parts;
	struct push_consumer *queue;
	struct list events;	/* in hand, the first of each key */
	struct map keys;	/* of these */
	size_t in_flight;	/* those that follow included */
	struct list ready;	/* followed, and are to begin */
	struct task begin;
	struct list resting;	/* wait for a server to be well again */
	struct timer rest;
	struct list lines;
	struct map senders;	/* of these, by name */
	size_t held;		/* events with attempts in lines */
	bool paused;
	struct task shed;	/* of refused lines */
	struct deadlines doomed;	/* tokens */
	struct map doomed_ids;
	struct notification note;	/* one buffer serves all */
	int64_t told_no_sender_ms;	/* monotonic; 0: never */
	bool marks_away;	/* Redis does not answer, as was logged */
	bool store_away;
	bool stopping;
	void (*idle)(void *arg);
	void *idle_arg;
};

enum event_phase {
	EVENT_FOLLOWS,		/* its key is in hand */
	EVENT_ASKS,		/* devices, marks, message, badge */
	EVENT_SENDS,
	EVENT_SETTLES,		/* every device has an outcome */
};

/* Before a sender: its breaker, its guard, and who waits. Lives as d does. */
struct line {
	struct list node;
	struct map_node by_name;
	struct delivery *d;
	enum provider provider;
	struct breaker breaker;
	unsigned resets;	/* of it */
	size_t out;		/* attempts with the sender, or being looked at */
	struct guard guard;
	struct list waiting;	/* attempts */
	struct timer timer;
	int64_t took_ms;	/* an answer that blamed no credentials; 0: none */
	int64_t refused_ms;	/* its credentials are, since then; 0: no */
	bool still_refused;	/* also who went REFUSED_MS later was */
	bool sheds;		/* so what waits goes to the dead letter, was logged */
	char reason[OUTCOME_REASON_MAX];	/* why it is not closed */
	uint64_t told;		/* rejections that were logged, by reason, */
	int64_t told_ms;	/* since then */
	char name[];
};

/* A device that is to have the notification. */
struct attempt {
	struct event *e;
	struct device dev;
	struct line *line;	/* of the last try */
	struct list waits;	/* in line */
	struct timer retry;
	unsigned tries;
	unsigned alone;		/* failures while its sender took others */
	unsigned looking;	/* answers to come: attempt_resume() */
	bool final;		/* has its outcome */
	bool with_provider;
	bool probe;
	bool late;		/* the probe: line_refused_long(), when it went */
	bool elsewhere;		/* another pushd's: it had it meanwhile */
	unsigned resets;	/* the line's, when it went */
	bool had;		/* it took it; */
	bool marked;		/* and this was told to Redis */
	char reason[OUTCOME_REASON_MAX];	/* of the last failure */
};

struct event {
	struct list node;	/* d->events, d->ready, or its first's followers */
	struct map_node by_key;
	struct list followers;
	struct list rests;	/* in d->resting */
	void (*resume)(struct event *e);
	struct delivery *d;	/* NULL: dropped */
	struct push_event ev;
	enum event_phase phase;
	unsigned callbacks;	/* to come, of all kinds */
	unsigned asked;		/* answers to come */
	unsigned asks;		/* that Redis or the store left unanswered */
	int devices_err, marks_err, store_err;
	int64_t looked_ms;	/* when all this was asked, monotonic */
	bool skip;		/* the message is delivered */
	bool take_back;		/* PUSH_TYPE_READ */
	bool starting;		/* event_step() waits */
	bool marking;
	int64_t badge;
	struct attempt *attempts;	/* one block with their strings */
	size_t n;
	size_t with_provider;	/* of the attempts */
	size_t open;		/* without an outcome */
	size_t held;		/* in lines */
	size_t unmarked;
	struct slice *had;	/* one block each with the ids; NULL: none */
	size_t nhad;
	struct slice *read_by;	/* take_back: who had what was read */
	size_t nread_by;
	struct buf reasons;	/* of the dead letter; empty: acknowledged */
	unsigned tries;
	char message_id[MESSAGE_ID_LEN + 1];	/* "": none */
	const char *key;	/* of its marks */
	struct slice json;
	char entry[];
};

/* delivery.c */
int64_t delivery_now_ms(void);		/* wall clock */
/* Calls resume(e) in about a second, unless it is dropped. */
void delivery_rest(struct event *e, void (*resume)(struct event *e));
/* The event leaves the table; who follows it begins. */
void delivery_remove(struct event *e);
/* They answered, or did not: one log line a change. */
void delivery_store_said(struct delivery *d, int err);
void delivery_marks_said(struct delivery *d, int err);

/* delivery_event.c */
/* ev's parts become its own. Not "new": libevent has that name. */
struct event *event_take(struct delivery *d, const char *entry,
			 struct slice json, struct push_event *ev);
/* A callback of it came. False: it was dropped, and perhaps is gone. */
bool event_back(struct event *e);
/* True: too old, which has been seen to. */
bool event_expired(struct event *e);
/* To all who have no outcome yet. */
void event_send(struct event *e);
/* All have; or there was nothing to do. */
void event_settle(struct event *e);
/* Something of it has changed: what follows from that. May free it. */
void event_step(struct event *e);
/* A line of its dead letter. */
void event_reason(struct event *e, enum provider p, const char *text);
/* It leaves us, acknowledged or not; the memory goes with its last callback. */
void event_drop(struct event *e);
/* After a callback of one that was dropped. */
void event_reap(struct event *e);

/* delivery_ask.c */
void event_begin(struct event *e);
void event_forget_answers(struct event *e);
/* Whether it may have been delivered meanwhile, and that matters. */
bool event_asks_store(const struct event *e);
bool event_is_delivered(const struct message *rows, size_t n);
/* Is this device among these? */
bool event_among(const struct slice *ids, size_t n, const char *id);

/* delivery_attempt.c */
void attempt_go(struct attempt *a);
void attempt_expire(struct attempt *a);
/* It is not wanted any more. */
void attempt_skip(struct attempt *a);
/* Of one that waits for credentials: to the dead letter. */
void attempt_refuse(struct attempt *a);
/* No longer waits for anything but its provider's answer. */
void attempt_stop(struct attempt *a);

/* delivery_again.c */
/* attempt_go() after a wait. False: it asks first whether it still is to go. */
bool attempt_resume(struct attempt *a);

/* delivery_line.c */
void lines_init(struct delivery *d);
struct line *line_of(struct delivery *d, const struct sender *s);
/* True: nothing may go now: its breaker is open, or it has its fill. */
bool line_shut(const struct line *l);
void line_hold(struct line *l, struct attempt *a);
void line_leave(struct attempt *a);
/* An attempt is about to go: it is the probe, or not. */
void line_pass(struct line *l, struct attempt *a);
/* What an answer says about the provider; line_run() is to follow. */
void line_answer(struct line *l, const struct attempt *a,
		 const struct outcome *o);
/* Told once an hour for each reason. */
void line_rejected(struct line *l, const struct outcome *o);
/* Those who wait go, as far as the breaker is willing. */
void line_run(struct line *l);
void lines_reset(struct delivery *d);
void lines_free(struct delivery *d);

/* delivery_refused.c */
void refused_init(struct delivery *d);
bool line_refused_long(const struct line *l, int64_t now_ms);
/* As an answer to a says; the last one counts. */
void line_refused(struct line *l, const struct attempt *a);
void line_not_refused(struct line *l);
/* One more waits, or has waited for longer. */
void line_look_refused(struct line *l);
void refused_free(struct delivery *d);

/* delivery_tokens.c */
void tokens_init(struct delivery *d);
/* It took a notification: not dead, whatever was said of it before. */
void tokens_alive(const struct attempt *a);
void tokens_dead(const struct attempt *a, const struct outcome *o);
/* Those that wait for their deletion are not deleted: whoever condemned them may have
 * had the wrong credentials. */
void tokens_put_off(struct delivery *d);
void tokens_free(struct delivery *d);

#endif
