/* What is asked about an event before anything is sent: the user's devices, who of
 * them had it, whether the message is delivered, the badge. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "pushd/delivery_impl.h"
#include "pushd/devices.h"
#include "pushd/marks.h"
#include "pushd/meters.h"

#define ASKS_MAX 3

void event_forget_answers(struct event *e)
{
	for (size_t i = 0; i < e->n; i++)
		timer_free(&e->attempts[i].retry);
	free(e->attempts);
	free(e->had);
	free(e->read_by);
	e->attempts = NULL;
	e->had = e->read_by = NULL;
	e->n = e->nhad = e->nread_by = 0;
	e->devices_err = e->marks_err = e->store_err = 0;
}

static void on_unread(void *arg, int err, const struct message *rows, size_t n)
{
	struct event *e = arg;

	(void)rows;
	if (!event_back(e))
		return;
	delivery_store_said(e->d, err);
	if (err == 0)
		e->badge = (int64_t)n;
	event_send(e);
}

bool event_among(const struct slice *ids, size_t n, const char *id)
{
	size_t len = strlen(id);

	for (size_t i = 0; i < n; i++)
		if (ids[i].n == len && memcmp(ids[i].p, id, len) == 0)
			return true;
	return false;
}

/* Who had it, or is not concerned, is final. */
static void choose(struct event *e)
{
	size_t repeats = 0;

	for (size_t i = 0; i < e->n; i++) {
		struct attempt *a = &e->attempts[i];

		if (event_among(e->had, e->nhad, a->dev.id)) {
			a->final = true;
			repeats++;
			meter_add_each(METER_repeats, a->dev.provider, 1);
		} else if (e->take_back &&
			   !event_among(e->read_by, e->nread_by,
					a->dev.id)) {
			a->final = true;
		} else {
			e->open++;
		}
	}
	if (e->n == 0)
		meter_inc(METER_events_no_device);
	else if (repeats == e->n)
		meter_inc(METER_events_repeated);
}

bool event_asks_store(const struct event *e)
{
	return e->d->conf.skip_if_delivered && e->d->parts.store != NULL &&
	       e->message_id[0] != '\0';
}

/* At our start, or when they were lost just now, Redis and the store are given some
 * seconds: who had the notification, or needs none, is worth that. An outage that
 * lasts is not waited for by each event. */
static bool worth_asking_again(struct event *e)
{
	const struct delivery *d = e->d;

	return ((e->marks_err != 0 && !d->marks_away) ||
		(e->store_err != 0 && !d->store_away)) &&
	       ++e->asks < ASKS_MAX;
}

static void answered(struct event *e)
{
	struct delivery *d = e->d;

	if (e->skip) {
		meter_inc(METER_events_skipped);
		event_settle(e);
		return;
	}
	if (e->devices_err != 0 || worth_asking_again(e)) {
		delivery_rest(e, event_begin);
		return;
	}
	e->looked_ms = clock_mono_ms();
	delivery_marks_said(d, e->marks_err);
	if (event_asks_store(e))
		delivery_store_said(d, e->store_err);
	choose(e);
	if (e->open > 0 && e->badge < 0 && d->parts.store != NULL) {
		e->callbacks++;
		message_store_unread(d->parts.store, e->ev.user_id, on_unread, e);
		return;
	}
	event_send(e);
}

/* One of the answers: are they all there? */
static void answer(struct event *e)
{
	if (--e->asked == 0)
		answered(e);
}

static const char *keep(char **p, const char *s)
{
	size_t n = strlen(s) + 1;
	char *at = *p;

	*p += n;
	return memcpy(at, s, n);
}

static size_t device_size(const struct device *d)
{
	return strlen(d->id) + strlen(d->token) + strlen(d->platform) +
	       strlen(d->app) + strlen(d->environment) + strlen(d->locale) + 6;
}

static void on_devices(void *arg, int err, const struct device *d, size_t n)
{
	struct event *e = arg;
	size_t size = n * sizeof(*e->attempts);
	char *p;

	if (!event_back(e))
		return;
	for (size_t i = 0; i < n; i++)
		size += device_size(&d[i]);
	e->devices_err = err;
	e->n = n;
	e->attempts = n > 0 ? mem_alloc(size) : NULL;
	p = (char *)(e->attempts + n);
	for (size_t i = 0; i < n; i++) {
		struct attempt *a = &e->attempts[i];

		*a = (struct attempt){ .e = e, .dev = d[i] };
		list_init(&a->waits);
		a->dev.id = keep(&p, d[i].id);
		a->dev.token = keep(&p, d[i].token);
		a->dev.platform = keep(&p, d[i].platform);
		a->dev.app = keep(&p, d[i].app);
		a->dev.environment = keep(&p, d[i].environment);
		a->dev.locale = keep(&p, d[i].locale);
	}
	answer(e);
}

static struct slice *keep_ids(const struct marks_answer *a)
{
	size_t size = a->n * sizeof(struct slice);
	struct slice *ids;
	char *p;

	if (a->n == 0)
		return NULL;
	for (size_t i = 0; i < a->n; i++)
		size += a->had[i].n;
	ids = mem_alloc(size);
	p = (char *)(ids + a->n);
	for (size_t i = 0; i < a->n; i++) {
		ids[i] = (struct slice){ p, a->had[i].n };
		memcpy(p, a->had[i].p, a->had[i].n);
		p += a->had[i].n;
	}
	return ids;
}

static void on_marks(void *arg, const struct marks_answer *a)
{
	struct event *e = arg;

	if (!event_back(e))
		return;
	if (a->err != 0)
		e->marks_err = a->err;
	e->badge = a->badge;
	e->had = keep_ids(a);
	e->nhad = a->n;
	answer(e);
}

static void on_read_by(void *arg, const struct marks_answer *a)
{
	struct event *e = arg;

	if (!event_back(e))
		return;
	if (a->err != 0)
		e->marks_err = a->err;
	e->read_by = keep_ids(a);
	e->nread_by = a->n;
	answer(e);
}

bool event_is_delivered(const struct message *rows, size_t n)
{
	return n > 0 && (rows[0].delivered_at_ms != 0 || rows[0].read_at_ms != 0);
}

static void on_message(void *arg, int err, const struct message *rows, size_t n)
{
	struct event *e = arg;

	if (!event_back(e))
		return;
	e->store_err = err;
	e->skip = err == 0 && event_is_delivered(rows, n);
	answer(e);
}

static void ask_who_had(struct event *e)
{
	const json_t *list = json_object_get(e->ev.data, "messageIds");
	const char *keys[PUSH_READ_IDS];
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(list) && n < PUSH_READ_IDS; i++) {
		const char *id = json_string_value(json_array_get(list, i));

		if (id != NULL && message_id_valid(slice_of(id)))
			keys[n++] = id;
	}
	if (n == 0)
		return;
	e->asked++;
	e->callbacks++;
	marks_get(e->d->parts.marks, e->ev.user_id, keys, n, on_read_by, e);
}

void event_begin(struct event *e)
{
	const struct delivery_parts *p = &e->d->parts;

	e->phase = EVENT_ASKS;
	if (event_expired(e))
		return;
	event_forget_answers(e);
	e->badge = -1;
	e->skip = false;
	e->asked = 2;
	e->callbacks += 2;
	devices_of(p->devices, e->ev.user_id, on_devices, e);
	marks_get(p->marks, e->ev.user_id, &e->key, 1, on_marks, e);
	if (e->take_back)
		ask_who_had(e);
	if (event_asks_store(e)) {
		e->asked++;
		e->callbacks++;
		message_store_get(p->store, (const char (*)[MESSAGE_ID_LEN + 1])
				  &e->message_id, 1, on_message, e);
	}
}
