/* Messages whose push fell due at once, for nobody is there: read again, queued
 * if still undelivered and owing. Nothing of the message is kept here; the row
 * is the outbox (M4), and what goes wrong here, or is too much, the sweep finds. */
#include "worker/chat/push_due.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/protocol/push_event.h"
#include "common/queue/push_queue.h"
#include "common/store/message_store.h"
#include "worker/directory.h"

#define OWE_STEP_US 100000
#define READ_MAX 100
/* At a time, from being read to being queued: with a store, directory or queue that
 * is slow, more would only be more that waits there, before what others ask. */
#define OUT_MAX 1000
#define WAIT_MAX 10000
/* What was read so long ago may have been confirmed since. */
#define FRESH_MS 200

struct due {
	struct list node;
	char id[MESSAGE_ID_LEN + 1];
};

/* Ids being read. */
struct reading {
	struct chat *c;
	size_t n;
	int64_t asked_ms;
};

/* A push on its way into the queue. */
struct pushing {
	struct chat *c;
	struct message *m;	/* owned */
	int64_t read_ms;
	char *name;		/* the sender's, or NULL; while m is read again */
	void (*done)(void *arg, int err);
	void *arg;
};

static void end(struct pushing *p, int err)
{
	if (p->done != NULL)
		p->done(p->arg, err);
	free(p->m);
	free(p->name);
	free(p);
}

static void on_owe_set(void *arg, int err)
{
	end(arg, err);
}

/* Nothing, once the queue cannot lose it. Rounded up: rows that are to owe the same are one update of MongoDB's. */
static int64_t next_owe(const struct chat *c)
{
	int64_t at;

	if (push_queue_durable(c->push))
		return 0;
	at = cluster_now_us() + c->conf.push_requeue_ms * 1000;
	return (at + OWE_STEP_US - 1) / OWE_STEP_US * OWE_STEP_US;
}

static void on_added(void *arg, int err)
{
	struct pushing *p = arg;
	struct chat *c = p->c;

	if (err != 0) {
		stats_inc(STAT_push_refused);	/* the message stays owing */
		end(p, err);
		return;
	}
	stats_inc(STAT_push_queued);
	flight_record(FLIGHT_PUSH_QUEUED, p->m->id, 0);
	message_store_set_owe(c->store, p->m->id, next_owe(c), on_owe_set, p);
}

static void add(struct pushing *p, const char *name)
{
	struct chat *c = p->c;
	const struct message *m = p->m;
	int64_t now = cluster_now_ms();
	struct push_event_message e = {
		.user_id = m->recipient_id,
		.match_id = m->match_id,
		.sender_id = m->sender_id,
		.sender_name = name,
		.content = m->content,
		.message_id = m->id,
		.queued_at_ms = now,
		.expires_at_ms = now + c->conf.push_ttl_ms,
	};

	buf_clear(&c->scratch);
	push_event_new_message(&c->scratch, &e);
	push_queue_add(c->push, m->id, m->recipient_id, buf_slice(&c->scratch),
		       on_added, p);
}

static bool is_due(const struct message *m)
{
	return m->delivered_at_ms == 0 && m->owe != 0;
}

static void on_refreshed(void *arg, int err, const struct message *rows, size_t n)
{
	struct pushing *p = arg;

	if (p->c->down)
		err = -ECANCELED;
	if (err == 0 && n > 0 && is_due(&rows[0]))
		add(p, p->name);
	else
		end(p, err);
}

/* A push without a name is better than none. */
static void on_name(void *arg, int err, const char *name)
{
	struct pushing *p = arg;
	struct chat *c = p->c;
	char id[1][MESSAGE_ID_LEN + 1];

	if (err != 0 || name[0] == '\0')
		name = NULL;
	if (c->down) {
		end(p, -ECANCELED);
	} else if (clock_mono_ms() - p->read_ms < FRESH_MS) {
		add(p, name);
	} else {
		p->name = name != NULL ? mem_strdup(name) : NULL;
		memcpy(id[0], p->m->id, sizeof(id[0]));
		message_store_get(c->store, (const char(*)[MESSAGE_ID_LEN + 1])id,
				  1, on_refreshed, p);
	}
}

void push_enqueue(struct chat *c, const struct message *m, int64_t read_ms,
		  void (*done)(void *arg, int err), void *arg)
{
	struct pushing *p = mem_alloc(sizeof(*p));

	*p = (struct pushing){ c, message_dup(m), read_ms, NULL, done, arg };
	directory_name(c->directory, m->sender_id, on_name, p);
}

static void done_with(struct chat *c, size_t n)
{
	c->due_out -= n;
	if (!list_empty(&c->due) && !c->down)
		loop_defer(c->loop, &c->due_task);
}

static void on_enqueued(void *arg, int err)
{
	(void)err;		/* then the row still owes */
	done_with(arg, 1);
}

static void on_read_again(void *arg, int err, const struct message *rows,
			  size_t n)
{
	struct reading *r = arg;
	struct chat *c = r->c;
	size_t enqueued = 0;

	if (err != 0)
		n = 0;		/* the rows still owe */
	for (size_t i = 0; i < n; i++) {
		if (!is_due(&rows[i]))
			continue;
		enqueued++;
		push_enqueue(c, &rows[i], r->asked_ms, on_enqueued, c);
	}
	done_with(c, r->n - enqueued);
	free(r);
}

/* All that fell due in one turn is read in one go. */
static void read_due(void *arg)
{
	struct chat *c = arg;
	char ids[READ_MAX][MESSAGE_ID_LEN + 1];
	struct reading *r;
	size_t n = 0;
	struct list *l;

	while (n < READ_MAX && c->due_out + n < OUT_MAX &&
	       (l = list_shift(&c->due)) != NULL) {
		struct due *d = LIST_ENTRY(l, struct due, node);

		memcpy(ids[n++], d->id, sizeof(d->id));
		free(d);
	}
	if (n == 0)
		return;
	c->ndue -= n;
	c->due_out += n;
	r = mem_alloc(sizeof(*r));
	*r = (struct reading){ c, n, clock_mono_ms() };
	message_store_get(c->store, (const char(*)[MESSAGE_ID_LEN + 1])ids, n,
			  on_read_again, r);
	if (!list_empty(&c->due))
		loop_defer(c->loop, &c->due_task);
}

void chat_push_init(struct chat *c)
{
	list_init(&c->due);
	task_init(&c->due_task, LOOP_WORK, read_due, c);
}

void chat_push_free(struct chat *c)
{
	struct list *l;

	task_cancel(&c->due_task);
	while ((l = list_shift(&c->due)) != NULL)
		free(LIST_ENTRY(l, struct due, node));
}

void chat_push_due(struct chat *c, const char *id)
{
	struct due *d;

	if (c->ndue >= WAIT_MAX)
		return;
	c->ndue++;
	d = mem_zalloc(sizeof(*d));
	memcpy(d->id, id, sizeof(d->id));
	list_init(&d->node);
	list_append(&c->due, &d->node);
	loop_defer(c->loop, &c->due_task);
}
