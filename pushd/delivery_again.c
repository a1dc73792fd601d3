/* Before a device is tried again after a while: is the notification still wanted,
 * and with which badge? Its user may have read the message meanwhile, and another
 * pushd may have sent it. */
#include "common/base/clock.h"
#include "pushd/delivery_impl.h"
#include "pushd/marks.h"
#include "pushd/meters.h"

#define FRESH_MS 10000

static bool unwanted(const struct attempt *a)
{
	return a->e->skip || a->elsewhere;
}

static void looked(struct attempt *a)
{
	struct event *e = a->e;
	struct line *line = a->line;

	if (--a->looking > 0 || e->d->stopping)
		return;
	line->out--;
	e->looked_ms = clock_mono_ms();
	if (unwanted(a))
		attempt_skip(a);
	else
		attempt_go(a);
	line_run(line);		/* it was to be the probe, perhaps, and was not */
}

static void on_message(void *arg, int err, const struct message *rows, size_t n)
{
	struct attempt *a = arg;
	struct event *e = a->e;

	if (!event_back(e))
		return;
	delivery_store_said(e->d, err);
	if (err == 0 && event_is_delivered(rows, n) && !e->skip) {
		e->skip = true;
		meter_inc(METER_events_skipped);
	}
	looked(a);
}

/* The queue gave the event to another pushd, too, while it waited here. */
static void note_who_had(struct event *e, const struct marks_answer *m)
{
	for (size_t i = 0; m->n > 0 && i < e->n; i++) {
		struct attempt *a = &e->attempts[i];

		if (a->final || a->elsewhere ||
		    !event_among(m->had, m->n, a->dev.id))
			continue;
		a->elsewhere = true;
		meter_add_each(METER_repeats, a->dev.provider, 1);
	}
}

static void on_marks(void *arg, const struct marks_answer *m)
{
	struct attempt *a = arg;
	struct event *e = a->e;

	if (!event_back(e))
		return;
	delivery_marks_said(e->d, m->err);
	if (m->badge >= 0)
		e->badge = m->badge;
	note_who_had(e, m);
	looked(a);
}

bool attempt_resume(struct attempt *a)
{
	struct event *e = a->e;
	const struct delivery_parts *p = &e->d->parts;

	if (unwanted(a)) {
		attempt_skip(a);
		return true;
	}
	if (clock_mono_ms() - e->looked_ms < FRESH_MS) {
		attempt_go(a);
		return true;
	}
	a->looking = 1;
	a->line->out++;
	e->callbacks++;
	marks_get(p->marks, e->ev.user_id, &e->key, 1, on_marks, a);
	if (event_asks_store(e)) {
		a->looking++;
		e->callbacks++;
		message_store_get(p->store, (const char (*)[MESSAGE_ID_LEN + 1])
				  &e->message_id, 1, on_message, a);
	}
	return false;
}
