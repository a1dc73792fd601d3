/* One event's life: its devices' outcomes, its marks, its end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/queue/push_queue.h"
#include "pushd/delivery_impl.h"
#include "pushd/devices.h"
#include "pushd/marks.h"
#include "pushd/meters.h"

#define TYPE_MESSAGE "new_message"
#define REASONS_MAX 1024


static void copy_message_id(struct event *e)
{
	const char *id = json_string_value(
		json_object_get(e->ev.data, "messageId"));

	/* Of another type (an app's own, about a message) it says nothing of
	 * whether this message was delivered, or is owing. */
	if (id != NULL && strcmp(e->ev.type, TYPE_MESSAGE) == 0 &&
	    message_id_valid(slice_of(id)))
		memcpy(e->message_id, id, sizeof(e->message_id));
}

/* Messages are known by their id; what else is told about one of them is another
 * notification. */
static size_t make_key(const struct event *e, char *out, size_t size)
{
	const char *id = e->ev.key[0] != '\0' ? e->ev.key : e->entry;
	bool message = strcmp(e->ev.type, TYPE_MESSAGE) == 0;

	return (size_t)snprintf(out, size, "%s%s%s", message ? "" : e->ev.type,
				message ? "" : "/", id) + 1;
}

/* Providers would not keep it for longer either: and what says "9999" must not be
 * tried for as long. */
static int64_t expiry_ms(const struct push_event *ev, int64_t ttl_ms)
{
	int64_t now = delivery_now_ms();
	int64_t from = ev->queued_at_ms != 0 ? ev->queued_at_ms : now;
	int64_t most = (from < now ? from : now) +
		       (int64_t)NOTIFICATION_LIFE_MAX_S * 1000;
	int64_t at = ev->expires_at_ms != 0 ? ev->expires_at_ms : from + ttl_ms;

	return at < most ? at : most;
}

struct event *event_take(struct delivery *d, const char *entry,
			 struct slice json, struct push_event *ev)
{
	size_t nentry = strlen(entry) + 1;
	size_t nkey = PUSH_TYPE_MAX + 1 + PUSH_KEY_MAX + nentry;
	struct event *e = mem_alloc(sizeof(*e) + nentry + nkey + json.n);
	char *p;

	*e = (struct event){ .d = d, .ev = *ev, .phase = EVENT_FOLLOWS };
	e->ev.expires_at_ms = expiry_ms(ev, d->conf.ttl_ms);
	list_init(&e->node);
	list_init(&e->followers);
	list_init(&e->rests);
	memcpy(e->entry, entry, nentry);
	p = e->entry + nentry;
	e->key = p;
	p += make_key(e, p, nkey);
	memcpy(p, json.p, json.n);
	e->json = (struct slice){ p, json.n };
	e->take_back = strcmp(ev->type, PUSH_TYPE_READ) == 0;
	copy_message_id(e);
	return e;
}

static void event_free(struct event *e)
{
	event_forget_answers(e);
	push_event_clear(&e->ev);
	buf_free(&e->reasons);
	free(e);
}

void event_reap(struct event *e)
{
	if (e->callbacks == 0)
		event_free(e);
}

void event_drop(struct event *e)
{
	for (size_t i = 0; i < e->n; i++)
		attempt_stop(&e->attempts[i]);
	delivery_remove(e);
	e->d = NULL;
	event_reap(e);
}

void event_reason(struct event *e, enum provider p, const char *text)
{
	static const char *const names[] = { [PROVIDER_FCM] = "fcm",
					     [PROVIDER_APNS] = "apns" };
	struct buf one = { 0 };

	buf_printf(&one, "%s %s", names[p], text);
	if (e->reasons.len + one.len < REASONS_MAX &&
	    (e->reasons.len == 0 ||
	     strstr(buf_str(&e->reasons), buf_str(&one)) == NULL)) {
		if (e->reasons.len > 0)
			buf_adds(&e->reasons, "; ");
		buf_add(&e->reasons, one.p, one.len);
	}
	buf_free(&one);
}

bool event_back(struct event *e)
{
	e->callbacks--;
	if (e->d != NULL)
		return true;
	event_reap(e);
	return false;
}

/* The end. */

static void finish(struct event *e)
{
	struct delivery *d = e->d;

	if (e->reasons.len > 0) {
		struct push_reject r = { .entry = e->entry, .json = e->json,
					 .reason = buf_str(&e->reasons),
					 .attempts = e->tries };

		meter_inc(METER_events_dead);
		push_consumer_reject(d->queue, &r);
	} else {
		push_consumer_ack(d->queue, e->entry);
	}
	meter_inc(METER_events_done);
	event_drop(e);
}

static void on_owed(void *arg, int err)
{
	struct event *e = arg;

	if (!event_back(e))
		return;
	delivery_store_said(e->d, err);
	if (err == 0)
		finish(e);
	else if (e->d->stopping)
		event_drop(e);
	else
		delivery_rest(e, event_settle);
}

void event_settle(struct event *e)
{
	struct delivery *d = e->d;

	e->phase = EVENT_SETTLES;
	list_remove(&e->rests);	/* of mark_early() */
	if (!d->conf.owes || d->parts.store == NULL || e->message_id[0] == '\0') {
		finish(e);
		return;
	}
	e->callbacks++;
	message_store_set_owe(d->parts.store, e->message_id, 0, on_owed, e);
}

/* Sending. */

static void on_marked(void *arg, int err)
{
	struct event *e = arg;

	if (!event_back(e))
		return;
	delivery_marks_said(e->d, err);
	e->marking = false;
	event_step(e);
}

static void mark(struct event *e)
{
	const char *ids[DEVICES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++) {
		struct attempt *a = &e->attempts[i];

		if (a->had && !a->marked)
			ids[n++] = a->dev.id;
		a->marked = a->had;
	}
	e->unmarked = 0;
	e->marking = true;
	e->callbacks++;
	marks_had(e->d->parts.marks, e->key, ids, n, on_marked, e);
}

/* One call is for all devices, as long as no provider hangs. */
static void mark_early(struct event *e)
{
	if (e->unmarked > 0 && !e->marking)
		mark(e);
}

void event_step(struct event *e)
{
	if (e->starting || e->marking)
		return;
	if (e->with_provider > 0) {
		if (e->unmarked > 0 && list_empty(&e->rests))
			delivery_rest(e, mark_early);
		return;
	}
	/* also while others of its devices wait: that may be for long */
	if (e->unmarked > 0)
		mark(e);
	else if (e->open == 0)
		event_settle(e);
	else if (e->d->stopping)
		event_drop(e);
}

bool event_expired(struct event *e)
{
	if (delivery_now_ms() < e->ev.expires_at_ms)
		return false;
	meter_inc(METER_events_expired);
	event_settle(e);
	return true;
}

void event_send(struct event *e)
{
	if (e->open > 0 && event_expired(e))
		return;
	e->phase = EVENT_SENDS;
	e->starting = true;
	for (size_t i = 0; i < e->n; i++)
		if (!e->attempts[i].final)
			attempt_go(&e->attempts[i]);
	e->starting = false;
	event_step(e);
}
