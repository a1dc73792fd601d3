#include "tests/unit/pushd/fake_push.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/queue/push_queue.h"
#include "common/store/message_store.h"
#include "pushd/apps.h"
#include "pushd/devices.h"
#include "pushd/jitter.h"
#include "pushd/marks.h"

#define ENTRIES 1024

struct fake fake;

struct pending {
	struct list node;
	enum fake_kind kind;
	void *cb;
	void *arg;
	char *text;		/* user, keys, id or token */
};

static struct list pending;
static struct buf trace, told;

static struct {
	char user[32];
	struct device d;
	char id[32], token[40], app[32];
} devices_rows[ENTRIES];
static size_t ndevices;

static struct { char id[32]; struct outcome o; bool used; } script[ENTRIES];
static size_t nscript;

struct mark {
	struct mark *next;
	char *key, *id;
};
static struct mark *had[1 << 16];
static size_t nhad;

static struct mark **had_of(const char *key)
{
	return &had[hash_str(key) % ARRAY_SIZE(had)];
}

static void note(const char *fmt, ...) PRINTF(1, 2);
static void note(const char *fmt, ...)
{
	char text[600];
	va_list ap;

	if (fake.trace_off)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (trace.len > 0)
		buf_addc(&trace, ' ');
	buf_adds(&trace, text);
}

const char *fake_trace(void)
{
	struct buf t = told;

	told = trace;
	trace = t;
	buf_clear(&trace);
	return buf_str(&told);
}

static struct buf lines;

static bool take_line(enum log_level level, const char *who, struct slice text)
{
	(void)level;
	(void)who;
	buf_add(&lines, text.p, text.n);
	buf_addc(&lines, '\n');
	return true;
}

void fake_log(void)
{
	log_set_sink(take_line);
}

const char *fake_logged(void)
{
	return buf_str(&lines);
}

/* Message ids: their last two digits. */
static const char *brief(const char *id)
{
	size_t n = strlen(id);

	return n == MESSAGE_ID_LEN ? id + n - 2 : id;
}

static void ask(enum fake_kind kind, void *cb, void *arg, const char *text)
{
	struct pending *p = mem_alloc(sizeof(*p));

	*p = (struct pending){ .kind = kind, .cb = cb, .arg = arg,
			       .text = mem_strdup(text) };
	list_append(&pending, &p->node);
	fake.calls[kind]++;
	fake.waiting[kind]++;
}

/* Devices. */

void fake_device(const char *user, const char *id, enum provider p,
		 const char *app)
{
	size_t i = ndevices++;

	cr_assert_lt(i, ENTRIES);
	snprintf(devices_rows[i].user, sizeof(devices_rows[i].user), "%s", user);
	snprintf(devices_rows[i].id, sizeof(devices_rows[i].id), "%s", id);
	snprintf(devices_rows[i].token, sizeof(devices_rows[i].token), "t-%s", id);
	snprintf(devices_rows[i].app, sizeof(devices_rows[i].app), "%s", app);
	devices_rows[i].d = (struct device){
		.id = devices_rows[i].id, .token = devices_rows[i].token,
		.app = devices_rows[i].app, .provider = p, .platform = "x",
		.environment = "", .locale = "",
	};
}

void fake_updated(const char *id, int64_t updated_at_ms)
{
	for (size_t i = 0; i < ndevices; i++)
		if (strcmp(devices_rows[i].id, id) == 0)
			devices_rows[i].d.updated_at_ms = updated_at_ms;
}

void devices_of(struct devices *s, const char *user_id, devices_cb *cb, void *arg)
{
	(void)s;
	if (fake.trace_asks)
		note("devices(%s)", user_id);
	ask(F_DEVICES, cb, arg, user_id);
}

static void answer_devices(const struct pending *p, int err)
{
	struct device found[DEVICES_MAX], *d;
	size_t n = 0;

	for (size_t i = 0; i < ndevices && err == 0; i++)
		if (strcmp(devices_rows[i].user, p->text) == 0)
			found[n++] = devices_rows[i].d;
	d = mem_alloc((n + 1) * sizeof(*d));	/* so that sanitizers see its end */
	memcpy(d, found, n * sizeof(*d));
	((devices_cb *)p->cb)(p->arg, err, d, n);
	free(d);
}

void devices_delete(struct devices *s, const struct device *d)
{
	(void)s;
	cr_assert_eq(strcmp(d->token + 2, d->id), 0);
	note("delete(%s)", d->id);
}

/* Marks. */

void fake_mark(const char *key, const char *id)
{
	struct mark **at = had_of(key), *m = mem_alloc(sizeof(*m));

	*m = (struct mark){ *at, mem_strdup(key), mem_strdup(id) };
	*at = m;
	nhad++;
}

void marks_get(struct marks *m, const char *user_id, const char *const *keys,
	       size_t n, marks_cb *cb, void *arg)
{
	struct buf all = { 0 };

	(void)m;
	(void)user_id;
	for (size_t i = 0; i < n; i++)
		buf_printf(&all, "%s%s", i > 0 ? "," : "", keys[i]);
	if (fake.trace_asks)
		note("marks(%s)", buf_str(&all));
	ask(F_MARKS, cb, arg, buf_str(&all));
	buf_free(&all);
}

static void answer_marks(const struct pending *p, int err)
{
	struct marks_answer a = { .err = err, .badge = -1 };
	struct slice *ids = mem_alloc((nhad + 1) * sizeof(*ids));
	char *rest, *key;

	for (key = strtok_r(p->text, ",", &rest); key != NULL && err == 0;
	     key = strtok_r(NULL, ",", &rest))
		for (struct mark *m = *had_of(key); m != NULL; m = m->next)
			if (strcmp(m->key, key) == 0)
				ids[a.n++] = slice_of(m->id);
	if (err == 0)
		a.badge = fake.badge;
	a.had = ids;
	((marks_cb *)p->cb)(p->arg, &a);
	free(ids);
}

void marks_had(struct marks *m, const char *key, const char *const *device_ids,
	       size_t n, void (*cb)(void *arg, int err), void *arg)
{
	struct buf all = { 0 };

	(void)m;
	for (size_t i = 0; i < n; i++) {
		buf_printf(&all, "%s%s", i > 0 ? "," : "", device_ids[i]);
		if (fake.err[F_HAD] == 0)
			fake_mark(key, device_ids[i]);
	}
	note("had(%s:%s)", brief(key), buf_str(&all));
	buf_free(&all);
	ask(F_HAD, cb, arg, "");
}

/* The store. */

void message_store_get(struct message_store *s,
		       const char (*ids)[MESSAGE_ID_LEN + 1], size_t n,
		       store_rows_cb *cb, void *arg)
{
	(void)s;
	cr_assert_eq(n, 1);
	note("get(%s)", brief(ids[0]));
	ask(F_GET, cb, arg, "");
}

void message_store_unread(struct message_store *s, const char *user_id,
			  store_rows_cb *cb, void *arg)
{
	(void)s;
	note("unread(%s)", user_id);
	ask(F_UNREAD, cb, arg, user_id);
}

void message_store_set_owe(struct message_store *s, const char *id,
			   int64_t owe_us, void (*cb)(void *arg, int err),
			   void *arg)
{
	(void)s;
	cr_assert_eq(owe_us, 0);
	note("owe(%s)", brief(id));
	ask(F_OWE, cb, arg, "");
}

bool message_id_valid(struct slice id)
{
	return id.n == MESSAGE_ID_LEN;
}

static void answer_rows(const struct pending *p, int err, size_t n)
{
	struct message m = { .delivered_at_ms = fake.delivered_at_ms,
			     .read_at_ms = fake.read_at_ms };

	((store_rows_cb *)p->cb)(p->arg, err, err == 0 && n > 0 ? &m : NULL,
				 err == 0 ? n : 0);
}

/* Senders. */

static const char *const senders[] = { "fcm", "apns", "fcm other", "apns other" };

struct sender *apps_sender(struct apps *a, const struct device *d)
{
	(void)a;
	if (strcmp(d->app, "none") == 0 ||
	    (fake.no_fcm && d->provider == PROVIDER_FCM))
		return NULL;
	return (struct sender *)&senders[d->provider + (d->app[0] ? 2 : 0)];
}

bool apps_one_without(const struct apps *a,
		      bool (*fn)(void *arg, const struct sender *s), void *arg)
{
	(void)a;
	for (size_t i = 0; i < fake.apps; i++)
		if (!fn(arg, (const struct sender *)&senders[2 * i]) &&
		    !fn(arg, (const struct sender *)&senders[2 * i + 1]))
			return true;
	return false;
}

const char *sender_name(const struct sender *s)
{
	return *(const char *const *)s;
}

enum provider sender_provider(const struct sender *s)
{
	return ((const char *const *)s - senders) % 2 == 0 ? PROVIDER_FCM :
							     PROVIDER_APNS;
}

void sender_send(struct sender *s, const struct notification *n, sender_cb *cb,
		 void *arg)
{
	(void)s;
	note("send(%s badge=%u)", n->token + 2, n->priority);
	ask(F_SEND, cb, arg, n->token + 2);
}

void fake_outcome_is(const char *id, const struct outcome *o)
{
	cr_assert_lt(nscript, ENTRIES);
	snprintf(script[nscript].id, sizeof(script[nscript].id), "%s", id);
	script[nscript++].o = *o;
}

void fake_outcome(const char *id, enum outcome_kind kind, const char *reason,
		  int64_t retry_after_ms)
{
	struct outcome o = { .kind = kind, .retry_after_ms = retry_after_ms,
			     .refused_address = kind == OUTCOME_DELETE };

	snprintf(o.reason, sizeof(o.reason), "%s", reason);
	fake_outcome_is(id, &o);
}

static void answer_send(const struct pending *p, int err)
{
	struct outcome o = fake.all;

	for (size_t i = 0; i < nscript; i++)
		if (!script[i].used && strcmp(script[i].id, p->text) == 0) {
			script[i].used = true;
			o = script[i].o;
			break;
		}
	if (err != 0)
		o = (struct outcome){ .kind = OUTCOME_RETRY, .reason = "canceled",
				      .retry_after_ms = -1 };
	((sender_cb *)p->cb)(p->arg, &o, 1000);
}

/* What would be sent: priority is the badge. */
int notification_make(const struct push_event *e, const struct device *d,
		      const struct templates *t, int64_t badge, int64_t now_ms,
		      struct notification *out)
{
	(void)t;
	(void)now_ms;
	if (json_object_get(e->data, "huge") != NULL)
		return -EMSGSIZE;
	out->token = d->token;
	out->priority = (unsigned)badge;
	buf_clear(&out->body);
	buf_adds(&out->body, e->type);
	return 0;
}

void notification_free(struct notification *n)
{
	buf_free(&n->body);
}

int64_t jitter_ms(int64_t bound_ms)
{
	return bound_ms;
}

/* The queue. */

void push_consumer_ack(struct push_consumer *c, const char *entry)
{
	(void)c;
	fake.acked++;
	note("ack(%s)", entry);
}

void push_consumer_reject(struct push_consumer *c, const struct push_reject *r)
{
	(void)c;
	fake.rejected++;
	cr_assert_gt(r->json.n, 0);
	note("reject(%s %u: %s)", r->entry, r->attempts, r->reason);
}

void push_consumer_pause(struct push_consumer *c, bool paused)
{
	(void)c;
	cr_assert_neq(fake.paused, paused);
	fake.paused = paused;
	note("pause(%d)", paused);
}

/* Turning. */

static void answer(struct pending *p, int err)
{
	fake.waiting[p->kind]--;
	switch (p->kind) {
	case F_DEVICES:
		answer_devices(p, err);
		break;
	case F_MARKS:
		answer_marks(p, err);
		break;
	case F_GET:
		answer_rows(p, err, fake.delivered_at_ms >= 0);
		break;
	case F_UNREAD:
		answer_rows(p, err, fake.unread);
		break;
	case F_SEND:
		answer_send(p, err);
		break;
	default:
		((void (*)(void *, int))p->cb)(p->arg, err);
	}
	free(p->text);
	free(p);
}

static bool answer_some(void)
{
	struct list now, *n;
	bool any = false;

	list_init(&now);
	list_splice(&now, &pending);
	while ((n = list_shift(&now)) != NULL) {
		struct pending *p = LIST_ENTRY(n, struct pending, node);

		if (fake.held[p->kind] ||
		    (p->kind == F_SEND && fake.slow != NULL &&
		     strcmp(p->text, fake.slow) == 0)) {
			list_append(&pending, n);
			continue;
		}
		any = true;
		answer(p, fake.err[p->kind]);
	}
	return any;
}

void fake_turn(void)
{
	while (fake_loop_deferred(fake.loop) || answer_some())
		;
}

void fake_turn_once(void)
{
	fake_loop_deferred(fake.loop);
	answer_some();
}

void fake_pass(int64_t ms)
{
	int64_t until = fake_now_ms() + ms;

	fake_turn();
	while (fake_loop_next(fake.loop, until))
		fake_turn();
	fake_turn();
}

const char *fake_id(unsigned n)
{
	static char id[4][MESSAGE_ID_LEN + 1];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(id[i], sizeof(id[i]), "%024u", n);
	return id[i];
}

void fake_event(const char *entry, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	size_t n;
	char *copy;

	va_start(ap, fmt);
	n = (size_t)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	copy = mem_alloc(n);	/* so that sanitizers see its end */
	memcpy(copy, text, n);
	delivery_event(fake.d, entry, (struct slice){ copy, n });
	free(copy);
}

void fake_message(const char *entry, const char *user, unsigned n)
{
	fake_event(entry, "{\"userId\":\"%s\",\"type\":\"new_message\","
		   "\"data\":{\"messageId\":\"%s\"}}", user, fake_id(n));
}

void fake_setup(void)
{
	log_init("test", LOG_LVL_ERR);
	list_init(&pending);
	fake = (struct fake){
		.conf = { .max_in_flight = 20, .ttl_ms = 3600000,
			  .skip_if_delivered = true, .owes = true,
			  .guard_share = 30, .guard_hold_ms = 60000 },
		.store = true,
		.apps = 1,
		.badge = 3,
		.all = { .retry_after_ms = -1 },
	};
	fake.loop = fake_loop_new();
}

void fake_open(void)
{
	struct delivery_parts parts = {
		.store = fake.store ? (struct message_store *)&fake : NULL,
	};

	fake.d = delivery_new(fake.loop, &fake.conf, &parts);
	delivery_start(fake.d, NULL);
}

void fake_close(void)
{
	delivery_free(&fake.d);
	delivery_free(&fake.d);
}

void fake_teardown(void)
{
	struct mark *m;
	struct list *n;

	fake_close();
	while ((n = list_shift(&pending)) != NULL)
		answer(LIST_ENTRY(n, struct pending, node), -ECANCELED);
	loop_free(&fake.loop);
	for (size_t i = 0; i < ARRAY_SIZE(had); i++)
		while ((m = had[i]) != NULL) {
			had[i] = m->next;
			free(m->key);
			free(m->id);
			free(m);
		}
	buf_free(&trace);
	buf_free(&told);
	log_set_sink(NULL);
	buf_free(&lines);
}
