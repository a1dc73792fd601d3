#include "tests/unit/pushd/fake_h2_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"

struct h2_client {
	char *url;
	size_t pending;
};

static struct list requests = { &requests, &requests };
static size_t clients, sent;

struct h2_client *h2_client_new(struct loop *l, const struct h2_client_conf *c,
				char err[256])
{
	struct h2_client *h;

	(void)l;
	if (strncmp(c->url, "https://", 8) != 0) {
		snprintf(err, 256, "%s is no https:// URL", c->url);
		return NULL;
	}
	if (c->ca_file != NULL && *c->ca_file != '\0' &&
	    access(c->ca_file, R_OK) == -1) {
		snprintf(err, 256, "cannot read %s", c->ca_file);
		return NULL;
	}
	h = mem_zalloc(sizeof(*h));
	h->url = mem_strdup(c->url);
	clients++;
	return h;
}

void h2_client_send(struct h2_client *c, const struct h2_request *q, h2_cb *cb,
		    void *arg)
{
	struct fake_request *r = mem_zalloc(sizeof(*r));

	r->client = c;
	r->url = mem_strdup(c->url);
	r->method = mem_strdup(q->method);
	r->path = mem_strdup(q->path);
	for (size_t i = 0; i < q->nheaders && i < FAKE_HEADERS_MAX; i++) {
		r->headers[i].name = mem_strdup(q->headers[i].name);
		r->headers[i].value = mem_strdup(q->headers[i].value);
		r->headers[i].unique = q->headers[i].unique;
		r->nheaders++;
	}
	r->body = mem_strndup(q->body.p, q->body.n);
	r->timeout_ms = q->timeout_ms;
	r->cb = cb;
	r->arg = arg;
	c->pending++;
	sent++;
	list_append(&requests, &r->node);
}

size_t h2_client_pending(const struct h2_client *c)
{
	return c->pending;
}

static void end(struct fake_request *r, int err, const struct h2_response *a)
{
	list_remove(&r->node);
	r->client->pending--;
	r->cb(r->arg, err, a);
	for (size_t i = 0; i < r->nheaders; i++) {
		free(r->headers[i].name);
		free(r->headers[i].value);
	}
	free(r->url);
	free(r->method);
	free(r->path);
	free(r->body);
	free(r);
}

void h2_client_free(struct h2_client **cp)
{
	struct h2_client *c = *cp;
	struct list *n, *next;

	if (c == NULL)
		return;
	LIST_FOREACH_SAFE(n, next, &requests) {
		struct fake_request *r = LIST_ENTRY(n, struct fake_request, node);

		if (r->client == c)
			end(r, -ECANCELED, NULL);
	}
	free(c->url);
	free(c);
	clients--;
	*cp = NULL;
}

static bool is_to(const struct fake_request *r, const char *url)
{
	return url == NULL || strncmp(r->url, url, strlen(url)) == 0;
}

struct fake_request *fake_h2_next(const char *url)
{
	for (struct list *n = requests.next; n != &requests; n = n->next) {
		struct fake_request *r = LIST_ENTRY(n, struct fake_request, node);

		if (is_to(r, url))
			return r;
	}
	return NULL;
}

size_t fake_h2_waiting(const char *url)
{
	size_t count = 0;

	for (struct list *n = requests.next; n != &requests; n = n->next)
		count += is_to(LIST_ENTRY(n, struct fake_request, node), url);
	return count;
}

size_t fake_h2_clients(void)
{
	return clients;
}

size_t fake_h2_sent(void)
{
	return sent;
}

const char *fake_request_header(const struct fake_request *r, const char *name)
{
	for (size_t i = 0; i < r->nheaders; i++)
		if (strcmp(r->headers[i].name, name) == 0)
			return r->headers[i].value;
	return NULL;
}

void fake_h2_answer_after(struct fake_request *r, int status, const char *body,
			  const char *retry_after)
{
	struct h2_response a = { .status = status, .body = slice_of(body) };

	if (retry_after != NULL)
		a.retry_after = slice_of(retry_after);
	end(r, 0, &a);
}

void fake_h2_answer(struct fake_request *r, int status, const char *body)
{
	fake_h2_answer_after(r, status, body, NULL);
}

void fake_h2_fail(struct fake_request *r, int err)
{
	end(r, err, NULL);
}
