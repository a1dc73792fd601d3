#include "pushd/sender.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "pushd/sender_impl.h"

static void run_ended(void *arg);

int sender_init(struct sender *s, const struct sender_ops *ops,
		enum provider p, struct loop *l, const struct sender_conf *c,
		const char *name, char err[256])
{
	struct h2_client *http = NULL;

	if (c != NULL) {
		struct h2_client_conf h = {
			.name = name,
			.url = c->url,
			.ca_file = c->ca_file,
			.connections = c->connections,
			.timeout_ms = c->timeout_ms,
			.ping_ms = SENDER_PING_MS,
		};

		http = h2_client_new(l, &h, err);
		if (http == NULL)
			return -EINVAL;
	}
	s->ops = ops;
	s->provider = p;
	s->name = mem_strdup(name);
	s->loop = l;
	s->http = http;
	s->timeout_ms = c != NULL ? c->timeout_ms : 0;
	list_init(&s->ended);
	task_init(&s->end, LOOP_WORK, run_ended, s);
	return 0;
}

static void wipe_authorization(struct sender *s)
{
	if (s->authorization != NULL)
		explicit_bzero(s->authorization, strlen(s->authorization));
	free(s->authorization);
	s->authorization = NULL;
}

void sender_clear(struct sender *s)
{
	h2_client_free(&s->http);
	run_ended(s);
	task_cancel(&s->end);
	wipe_authorization(s);
	free(s->name);
	s->name = NULL;
}

void sender_authorize(struct sender *s, const char *scheme, const char *token)
{
	size_t skip = strlen(scheme) + 1;
	size_t size = skip + strlen(token) + 1;

	if (s->authorization != NULL &&
	    strcmp(s->authorization + skip, token) == 0)
		return;
	wipe_authorization(s);
	s->authorization = mem_alloc(size);
	snprintf(s->authorization, size, "%s %s", scheme, token);
	s->serial++;
}

/* The callback may send another, but not free the sender. */
static void finish(struct flight *f)
{
	struct sender *s = f->s;

	f->cb(f->arg, &f->outcome, f->latency_us);
	free(f);
	if (--s->pending == 0 && s->idle != NULL)
		s->idle(s->idle_arg);
}

static void run_ended(void *arg)
{
	struct sender *s = arg;
	struct list ended, *n;

	/* what these callbacks send may end here, too: not in this run */
	list_init(&ended);
	list_splice(&ended, &s->ended);
	while ((n = list_shift(&ended)) != NULL)
		finish(LIST_ENTRY(n, struct flight, node));
}

void flight_end(struct flight *f, const struct outcome *o)
{
	f->outcome = *o;
	list_append(&f->s->ended, &f->node);
	loop_defer(f->s->loop, &f->s->end);
}

void flight_fail(struct flight *f, int err)
{
	struct outcome o;

	outcome_of_error(err, &o);
	flight_end(f, &o);
}

static void on_answer(void *arg, int err, const struct h2_response *r)
{
	struct flight *f = arg;
	struct sender *s = f->s;
	struct outcome *o = &f->outcome;

	f->latency_us = clock_mono_us() - f->sent_us;
	if (err != 0)
		outcome_of_error(err, o);
	else
		outcome_of_answer(s->provider, r->status, r->body,
				  r->retry_after, clock_wall_us() / 1000, o);
	if (o->kind == OUTCOME_RENEW) {
		if (!f->renewed && s->ops->renew(s, f)) {
			f->renewed = true;
			s->ops->submit(s, f);
			return;
		}
		o->kind = OUTCOME_CONFIG;
	}
	finish(f);
}

void flight_request(struct flight *f, const struct h2_header *headers,
		    size_t n)
{
	struct sender *s = f->s;
	struct h2_request r = {
		.method = "POST",
		.path = f->path,
		.headers = headers,
		.nheaders = n,
		.body = f->body,
		.timeout_ms = s->timeout_ms,
	};

	f->serial = s->serial;
	f->sent_us = clock_mono_us();
	h2_client_send(s->http, &r, on_answer, f);
}

/* One block: what a second try needs is within it. */
static struct flight *copy(struct sender *s, const struct notification *n)
{
	const char *prefix = s->ops->path_prefix;
	size_t path = prefix != NULL ? strlen(prefix) + strlen(n->token) + 1 : 0;
	struct flight *f = mem_alloc(sizeof(*f) + n->body.len + path);

	*f = (struct flight){
		.s = s,
		.silent = n->silent,
		.priority = n->priority,
		.expires_s = n->expires_s,
		.device_id = n->device_id,
		.body = { f->data, n->body.len },
		.path = f->data + n->body.len,
	};
	memcpy(f->collapse_id, n->collapse_id, sizeof(f->collapse_id));
	if (n->body.len > 0)
		memcpy(f->data, n->body.p, n->body.len);
	if (prefix != NULL)
		snprintf(f->data + n->body.len, path, "%s%s", prefix, n->token);
	return f;
}

void sender_send(struct sender *s, const struct notification *n, sender_cb *cb,
		 void *arg)
{
	const struct sender_ops *ops = s->ops;
	struct flight *f = copy(s, n);

	f->cb = cb;
	f->arg = arg;
	s->pending++;
	if (ops->is_token != NULL && !ops->is_token(n->token)) {
		struct outcome o = { .kind = OUTCOME_DELETE,
				     .retry_after_ms = -1,
				     .refused_address = true,
				     .unasked = true };

		snprintf(o.reason, sizeof(o.reason), "%s",
			 ops->no_token_reason);
		flight_end(f, &o);
		return;
	}
	ops->submit(s, f);
}

const char *sender_name(const struct sender *s)
{
	return s->name;
}

enum provider sender_provider(const struct sender *s)
{
	return s->provider;
}

size_t sender_pending(const struct sender *s)
{
	return s->pending;
}

void sender_retire(struct sender *s, void (*idle)(void *arg), void *arg)
{
	s->idle = idle;
	s->idle_arg = arg;
	if (s->pending == 0)
		idle(arg);
}

void sender_free(struct sender **sp)
{
	struct sender *s = *sp;

	if (s == NULL)
		return;
	s->idle = NULL;
	*sp = NULL;
	s->ops->free(s);
}
