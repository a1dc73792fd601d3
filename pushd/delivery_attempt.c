/* One notification for one device, until it has its outcome. */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "pushd/apps.h"
#include "pushd/delivery_impl.h"
#include "pushd/jitter.h"
#include "pushd/meters.h"

#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 300000
#define TOLD_MS 3600000
/* A quarter of an hour. More than BREAKER_FAILURES: of an outage the breaker
 * knows first. */
#define ALONE_MAX 12

static void finalize(struct attempt *a)
{
	struct event *e = a->e;

	a->final = true;
	e->open--;
	if (a->tries > e->tries)
		e->tries = a->tries;
}

static void refuse(struct attempt *a, const char *text)
{
	event_reason(a->e, a->dev.provider, text);
	finalize(a);
}

/* Of what was tried, or waited for its breaker. */
void attempt_expire(struct attempt *a)
{
	struct event *e = a->e;
	const char *why = a->reason[0] != '\0' ? a->reason : a->line->reason;
	char text[OUTCOME_REASON_MAX + 16];

	line_leave(a);
	snprintf(text, sizeof(text), "expired: %s", why[0] != '\0' ? why : "busy");
	refuse(a, text);
	event_step(e);
}

void attempt_skip(struct attempt *a)
{
	finalize(a);
	event_step(a->e);
}

/* Once an hour: which app it is, the dead letter says each time. */
static void tell_no_sender(struct delivery *d, const char *text)
{
	int64_t now = clock_mono_ms();

	if (d->told_no_sender_ms != 0 && now - d->told_no_sender_ms < TOLD_MS)
		return;
	d->told_no_sender_ms = now;
	log_err("notifications go to the dead letter: %s", text);
}

static const char *app_name(const struct attempt *a)
{
	return a->dev.app[0] != '\0' ? a->dev.app : "default";
}

static void no_sender(struct attempt *a)
{
	char text[160];

	meter_failed(a->dev.provider, "no_sender");
	snprintf(text, sizeof(text), "no credentials for app %.100s",
		 app_name(a));
	tell_no_sender(a->e->d, text);
	refuse(a, text);
	event_step(a->e);
}

void attempt_refuse(struct attempt *a)
{
	struct event *e = a->e;
	char text[OUTCOME_REASON_MAX + 160];

	line_leave(a);
	snprintf(text, sizeof(text), "credentials for app %.100s refused: %s",
		 app_name(a), a->line->reason);
	refuse(a, text);
	event_step(e);
}

static void on_retry(void *arg)
{
	attempt_resume(arg);
}

/* A queue keeps its place for one event only so far. */
static void give_up(struct attempt *a)
{
	char text[OUTCOME_REASON_MAX + 16];

	snprintf(text, sizeof(text), "given up: %s", a->reason);
	refuse(a, text);
}

static int64_t backoff_ms(unsigned tries)
{
	unsigned doublings = tries - 1 < 10 ? tries - 1 : 10;
	int64_t least = (int64_t)RETRY_MIN_MS << doublings;

	if (least > RETRY_MAX_MS / 2)
		least = RETRY_MAX_MS / 2;
	return least + jitter_ms(least);
}

static void again(struct attempt *a, const struct outcome *o)
{
	struct delivery *d = a->e->d;
	int64_t said = o->retry_after_ms < BREAKER_SAID_MAX_MS ?
		o->retry_after_ms : BREAKER_SAID_MAX_MS;
	int64_t wait;

	memcpy(a->reason, o->reason, sizeof(a->reason));
	if (d->stopping)
		return;
	if (o->kind != OUTCOME_RETRY) {	/* the breaker is open now */
		line_hold(a->line, a);
		return;
	}
	a->alone = a->line->breaker.state == BREAKER_CLOSED ? a->alone + 1 : 0;
	if (a->alone >= ALONE_MAX) {
		give_up(a);
		return;
	}
	wait = backoff_ms(a->tries);
	if (wait < said)
		wait = said + jitter_ms(RETRY_MIN_MS);
	if (delivery_now_ms() + wait >= a->e->ev.expires_at_ms) {
		attempt_expire(a);
		return;
	}
	if (a->retry.ev == NULL)
		timer_init(&a->retry, d->loop, on_retry, a);
	timer_arm(&a->retry, wait);
}

static void conclude(struct attempt *a, const struct outcome *o)
{
	enum provider p = a->dev.provider;

	switch (o->kind) {
	case OUTCOME_OK:
		meter_add_each(METER_sent, p, 1);
		a->had = true;
		a->e->unmarked++;
		tokens_alive(a);
		finalize(a);
		break;
	case OUTCOME_DELETE:
		tokens_dead(a, o);
		finalize(a);
		break;
	case OUTCOME_REJECT:
		line_rejected(a->line, o);
		refuse(a, o->reason);
		break;
	default:
		again(a, o);
	}
}

static void on_sent(void *arg, const struct outcome *o, int64_t latency_us)
{
	struct attempt *a = arg;
	struct event *e = a->e;
	struct line *line = a->line;

	e->callbacks--;
	if (e->d == NULL) {
		event_reap(e);
		return;
	}
	e->with_provider--;
	line->out--;
	a->with_provider = false;
	meter_latency(a->dev.provider, latency_us);
	if (o->kind != OUTCOME_OK)
		meter_failed(a->dev.provider, o->reason);
	line_answer(line, a, o);
	e->starting = true;	/* one step for all of this */
	conclude(a, o);
	e->starting = false;
	event_step(e);
	line_run(line);
}

static void send_to(struct attempt *a, struct sender *s)
{
	struct event *e = a->e;

	line_pass(a->line, a);
	if (a->tries++ > 0)
		meter_add_each(METER_retries, a->dev.provider, 1);
	a->with_provider = true;
	e->with_provider++;
	e->callbacks++;
	a->line->out++;
	sender_send(s, &e->d->note, on_sent, a);
}

void attempt_go(struct attempt *a)
{
	struct event *e = a->e;
	struct delivery *d = e->d;
	struct sender *s;

	if (delivery_now_ms() >= e->ev.expires_at_ms && a->line != NULL) {
		attempt_expire(a);
		return;
	}
	s = apps_sender(d->parts.apps, &a->dev);
	if (s == NULL) {
		no_sender(a);
		return;
	}
	a->line = line_of(d, s);
	if (line_shut(a->line)) {
		line_hold(a->line, a);
		return;
	}
	/* before the breaker is asked: whom it lets go must go */
	if (notification_make(&e->ev, &a->dev, d->parts.templates, e->badge,
			      delivery_now_ms(), &d->note) != 0) {
		meter_failed(a->dev.provider, "too_large");
		refuse(a, "too_large");
		event_step(e);
		return;
	}
	send_to(a, s);
}

void attempt_stop(struct attempt *a)
{
	timer_disarm(&a->retry);
	line_leave(a);
}
