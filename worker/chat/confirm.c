#include "worker/chat/confirm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/backoff.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/store/message_store.h"
#include "worker/chat/frames.h"

/* Of those kept, told again at a time. */
#define REPEATS_MAX 100

/* One confirmation, from the proof until the store has taken it. */
struct confirm {
	struct list node;	/* in kept */
	struct chat *c;
	struct device *device;	/* referenced */
	void (*taken)(void *arg, bool ok);
	void *arg;
	int64_t at_ms;		/* that of the proof, also in repeats */
	bool kept;		/* counted in confirms_waiting */
	bool unsure;		/* an earlier try may have arrived */
	char user_id[PW_ID_MAX + 1];
	size_t n;
	char ids[][MESSAGE_ID_LEN + 1];
};

struct confirms {
	struct list kept;	/* the oldest first */
	size_t nkept;		/* ids, those being told again included */
	unsigned repeating;	/* calls under way */
	struct timer timer;	/* armed: the store was not well just now */
	struct backoff backoff;
};

static void submit(struct confirm *f);

static void tell_sender(struct chat *c, const struct message *m)
{
	struct buf *b = &c->scratch;

	stats_inc(STAT_messages_confirmed);
	flight_record(FLIGHT_CONFIRMED, m->id, 0);
	buf_clear(b);
	frame_message_delivered(b, m->id, m->delivered_at_ms);
	chat_receipt(c, m->sender_id, buf_slice(b));
}

static void confirm_end(struct confirm *f, bool ok)
{
	struct confirms *fs = f->c->confirms;

	if (f->kept) {
		fs->nkept -= f->n;
		stats_set(STAT_confirms_waiting, (int64_t)fs->nkept);
	}
	for (size_t i = 0; i < f->n; i++)
		(ok ? device_pending_drop : device_pending_again)(f->device,
								  f->ids[i]);
	if (f->taken != NULL)
		f->taken(f->arg, ok);
	device_unref(f->device);
	free(f);
}

/* Whoever waits longest gives way. */
static void make_room(struct confirms *fs)
{
	struct list *n;

	while (fs->nkept > CONFIRMS_KEPT_MAX &&
	       (n = list_shift(&fs->kept)) != NULL)
		confirm_end(LIST_ENTRY(n, struct confirm, node), false);
}

static void keep(struct confirm *f, int err)
{
	struct confirms *fs = f->c->confirms;

	if (err != -ENOTCONN && err != -EAGAIN)
		f->unsure = true;
	if (!f->kept) {
		f->kept = true;
		fs->nkept += f->n;
	}
	list_append(&fs->kept, &f->node);
	make_room(fs);
	stats_set(STAT_confirms_waiting, (int64_t)fs->nkept);
	if (!timer_armed(&fs->timer))
		timer_arm(&fs->timer, backoff_next(&fs->backoff));
}

static void repeat(struct confirms *fs)
{
	struct list *n;

	while (fs->repeating < REPEATS_MAX && !timer_armed(&fs->timer) &&
	       (n = list_shift(&fs->kept)) != NULL) {
		fs->repeating++;
		submit(LIST_ENTRY(n, struct confirm, node));
	}
}

/* An earlier try of ours arrived, though its answer did not: the row has our
 * time, and nobody has told its sender. */
static void on_looked_up(void *arg, int err, const struct message *rows,
			 size_t n)
{
	struct confirm *f = arg;

	if (err != 0 && !f->c->down) {
		keep(f, err);
		return;
	}
	for (size_t i = 0; err == 0 && i < n; i++)
		if (rows[i].delivered_at_ms == f->at_ms &&
		    strcmp(rows[i].recipient_id, f->user_id) == 0)
			tell_sender(f->c, &rows[i]);
	confirm_end(f, true);
}

static bool among(const struct message *rows, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(rows[i].id, id, MESSAGE_ID_LEN) == 0)
			return true;
	return false;
}

/* What is not among the rows. Only what was kept is looked up. */
static void look_up(struct confirm *f, const struct message *rows, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (among(rows, n, f->ids[i]))
			device_pending_drop(f->device, f->ids[i]);
		else if (left++ != i)
			memcpy(f->ids[left - 1], f->ids[i], sizeof(f->ids[0]));
	}
	f->c->confirms->nkept -= f->n - left;
	f->n = left;
	if (left == 0)
		confirm_end(f, true);
	else
		message_store_get(f->c->store,
				  (const char(*)[MESSAGE_ID_LEN + 1])f->ids, left,
				  on_looked_up, f);
}

/* Messages that another device of the user confirmed first are not among the
 * rows, so each is told once. */
static void on_delivered(void *arg, int err, const struct message *rows, size_t n)
{
	struct confirm *f = arg;
	struct confirms *fs = f->c->confirms;

	if (f->kept)
		fs->repeating--;
	else
		f->c->ops--;
	if (f->c->down) {
		confirm_end(f, false);
		return;
	}
	if (err != 0) {
		keep(f, err);
		return;
	}
	for (size_t i = 0; i < n; i++)
		tell_sender(f->c, &rows[i]);
	if (f->unsure)
		look_up(f, rows, n);
	else
		confirm_end(f, true);
	if (!list_empty(&fs->kept))
		repeat(fs);
}

static void submit(struct confirm *f)
{
	struct store_confirm sc = {
		.recipient_id = f->user_id,
		.at_ms = f->at_ms,
		.chg = cluster_next_pos(),
		.ids = (const char(*)[MESSAGE_ID_LEN + 1])f->ids,
		.n = f->n,
	};

	message_store_delivered(f->c->store, &sc, on_delivered, f);
}

static struct confirm *confirm_new(struct device *d, size_t max)
{
	struct confirm *f = mem_alloc(sizeof(*f) + max * sizeof(f->ids[0]));

	*f = (struct confirm){ .c = d->chat, .device = device_ref(d) };
	list_init(&f->node);
	strcpy(f->user_id, d->user->id);
	f->at_ms = cluster_now_ms();
	return f;
}

static void confirm_begin(struct confirm *f)
{
	f->c->ops++;		/* a stop waits for it */
	submit(f);
}

void chat_confirmed(struct device *d, uint32_t mark)
{
	size_t at = 0, max = device_pending_count(d);
	int64_t now = clock_mono_us();
	struct pending p;
	bool more = d->user != NULL && !d->explicit_mode && !d->chat->down &&
		    device_pending_confirm(d, mark, &at, &p);

	while (more) {
		struct confirm *f = confirm_new(d, max < CONFIRM_MAX ? max :
								CONFIRM_MAX);

		do {
			memcpy(f->ids[f->n++], p.id, sizeof(p.id));
			stats_observe(STAT_confirm_us, now - p.written_us);
			more = device_pending_confirm(d, mark, &at, &p);
		} while (more && f->n < CONFIRM_MAX);
		confirm_begin(f);
	}
}

void confirm_received(struct device *d, const char (*ids)[MESSAGE_ID_LEN + 1],
		      size_t n, void (*taken)(void *arg, bool ok), void *arg)
{
	struct confirm *f = confirm_new(d, n);
	int64_t now = clock_mono_us();
	struct pending p;

	f->taken = taken;
	f->arg = arg;
	f->n = n;
	memcpy(f->ids, ids, n * sizeof(ids[0]));
	for (size_t i = 0; i < n; i++)
		if (device_pending_confirm_id(d, ids[i], &p))
			stats_observe(STAT_confirm_us, now - p.written_us);
	confirm_begin(f);
}

static void on_timer(void *arg)
{
	repeat(arg);
}

bool confirms_waiting(const struct chat *c)
{
	return c->confirms->nkept > 0;
}

void confirms_wake(struct chat *c)
{
	struct confirms *fs = c->confirms;

	backoff_init(&fs->backoff);
	timer_disarm(&fs->timer);
	repeat(fs);
}

void confirms_init(struct chat *c)
{
	struct confirms *fs = mem_zalloc(sizeof(*fs));

	list_init(&fs->kept);
	timer_init(&fs->timer, c->loop, on_timer, fs);
	backoff_init(&fs->backoff);
	c->confirms = fs;
}

void confirms_free(struct chat *c)
{
	struct confirms *fs = c->confirms;
	struct list *n;

	while ((n = list_shift(&fs->kept)) != NULL)
		confirm_end(LIST_ENTRY(n, struct confirm, node), false);
	timer_free(&fs->timer);
	free(fs);
	c->confirms = NULL;
}
