#include "pushd/h2_call.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"

#define FIXED_HEADERS 5		/* :method :scheme :authority :path content-length */

/* Puts copies of texts into the block behind the struct. */
struct packer {
	nghttp2_nv *nv;
	char *at;
};

static uint8_t *put(struct packer *p, const char *text, size_t n)
{
	char *copy = p->at;

	memcpy(copy, text, n);
	p->at += n;
	return (uint8_t *)copy;
}

static void put_header(struct packer *p, const char *name, const char *value,
		       bool unique)
{
	nghttp2_nv *nv = p->nv++;

	nv->namelen = strlen(name);
	nv->valuelen = strlen(value);
	nv->name = put(p, name, nv->namelen);
	nv->value = put(p, value, nv->valuelen);
	nv->flags = unique ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
}

static size_t block_size(const struct h2_request *r, const char *authority)
{
	size_t n = sizeof(struct h2_call);

	n += (r->nheaders + FIXED_HEADERS) * sizeof(nghttp2_nv);
	n += sizeof(":method:scheme:authority:pathcontent-lengthhttps");
	n += strlen(r->method) + strlen(r->path) + strlen(authority) + 20;
	for (size_t i = 0; i < r->nheaders; i++)
		n += strlen(r->headers[i].name) + strlen(r->headers[i].value);
	return n + r->body.n;
}

struct h2_call *h2_call_new(const struct h2_request *r, const char *authority)
{
	struct h2_call *call = mem_alloc(block_size(r, authority));
	struct packer p;
	char length[24];

	memset(call, 0, sizeof(*call));
	list_init(&call->node);
	call->nv = (nghttp2_nv *)(call + 1);
	p.nv = call->nv;
	p.at = (char *)(call->nv + r->nheaders + FIXED_HEADERS);
	put_header(&p, ":method", r->method, false);
	put_header(&p, ":scheme", "https", false);
	put_header(&p, ":authority", authority, false);
	put_header(&p, ":path", r->path, true);
	for (size_t i = 0; i < r->nheaders; i++)
		put_header(&p, r->headers[i].name, r->headers[i].value,
			   r->headers[i].unique);
	if (r->body.n > 0) {
		snprintf(length, sizeof(length), "%zu", r->body.n);
		put_header(&p, "content-length", length, true);
		call->body.p = (char *)put(&p, r->body.p, r->body.n);
		call->body.n = r->body.n;
	}
	call->nnv = (size_t)(p.nv - call->nv);
	return call;
}

void h2_call_rewind(struct h2_call *call)
{
	call->stream_id = 0;
	call->body_sent = 0;
	call->packed = false;
	call->reset = false;
	call->status = 0;
	buf_clear(&call->answer);
	call->retry_after[0] = '\0';
	call->apns_id[0] = '\0';
}

static bool is(struct slice a, const char *b)
{
	return a.n == strlen(b) && memcmp(a.p, b, a.n) == 0;
}

/* One that is longer than these ever are is left out, rather than cut. */
static void keep(char out[40], struct slice value)
{
	if (value.n >= 40)
		return;
	memcpy(out, value.p, value.n);
	out[value.n] = '\0';
}

static int status_of(struct slice s)
{
	int n = 0;

	if (s.n != 3)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		if (!isdigit((unsigned char)s.p[i]))
			return 0;
		n = n * 10 + (s.p[i] - '0');
	}
	return n;
}

void h2_call_header(struct h2_call *call, struct slice name, struct slice value)
{
	if (is(name, ":status"))
		call->status = status_of(value);
	else if (is(name, "retry-after"))
		keep(call->retry_after, value);
	else if (is(name, "apns-id"))
		keep(call->apns_id, value);
}

bool h2_call_data(struct h2_call *call, const void *p, size_t n)
{
	if (n > H2_ANSWER_MAX - call->answer.len)
		return false;
	buf_add(&call->answer, p, n);
	return true;
}

void h2_call_tell(struct h2_call *call)
{
	const struct h2_response r = {
		.status = call->status,
		.body = buf_slice(&call->answer),
		.retry_after = slice_of(call->retry_after),
		.apns_id = slice_of(call->apns_id),
	};

	timer_free(&call->deadline);
	call->cb(call->arg, call->err, call->err == 0 ? &r : NULL);
	buf_free(&call->answer);
	free(call);
}
