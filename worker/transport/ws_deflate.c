#include "worker/transport/ws_deflate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <zlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"

#define WINDOW_BITS 15
#define LEVEL 1		/* a message must not cost more than its sending */
/* data_type of inflate(): between two blocks. */
#define BETWEEN_BLOCKS 128

struct ws_deflate {
	z_stream in, out;
};

/* What the end of a message leaves out (7.2.1). */
static const char tail[4] = { 0, 0, (char)0xff, (char)0xff };

struct ws_deflate *ws_deflate_new(void)
{
	struct ws_deflate *d = mem_zalloc(sizeof(*d));

	if (inflateInit2(&d->in, -WINDOW_BITS) != Z_OK ||
	    deflateInit2(&d->out, LEVEL, Z_DEFLATED, -WINDOW_BITS, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		log_fatal("zlib does not start");
	return d;
}

void ws_deflate_free(struct ws_deflate **dp)
{
	struct ws_deflate *d = *dp;

	if (d == NULL)
		return;
	inflateEnd(&d->in);
	deflateEnd(&d->out);
	free(d);
	*dp = NULL;
}

static void feed(z_stream *z, const char *p, size_t n)
{
	z->next_in = (Bytef *)p;	/* zlib does not write to it */
	z->avail_in = (uInt)n;
}

void ws_deflate_pack(struct ws_deflate *d, struct slice message, struct buf *out)
{
	z_stream *z = &d->out;
	size_t room = deflateBound(z, message.n) + sizeof(tail) + 8;

	buf_clear(out);
	buf_reserve(out, room);
	deflateReset(z);
	feed(z, message.p, message.n);
	z->next_out = (Bytef *)out->p;
	z->avail_out = (uInt)room;
	if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_out == 0)
		log_fatal("zlib: deflate");
	out->len = room - z->avail_out - sizeof(tail);
}

/* Runs what was fed through. 0 once it is used up, 1 behind a final block,
 * -errno. */
static int inflate_into(z_stream *z, size_t max, struct buf *out)
{
	for (;;) {
		size_t room;
		int rc;

		if (out->len > max)
			return -EMSGSIZE;
		buf_reserve(out, 1);
		room = out->cap - out->len;
		if (room > max + 1 - out->len)
			room = max + 1 - out->len;
		z->next_out = (Bytef *)out->p + out->len;
		z->avail_out = (uInt)room;
		rc = inflate(z, Z_SYNC_FLUSH);
		out->len += room - z->avail_out;
		if (out->len > max)
			return -EMSGSIZE;
		if (rc == Z_STREAM_END)
			return 1;
		if (rc != Z_OK && rc != Z_BUF_ERROR)
			return -EBADMSG;
		/* A full buffer may leave more of it inside. */
		if (z->avail_in == 0 && z->avail_out != 0)
			return 0;
	}
}

int ws_deflate_unpack(struct ws_deflate *d, struct slice in, size_t max,
		      struct buf *out)
{
	z_stream *z = &d->in;
	int rc;

	buf_clear(out);
	inflateReset(z);
	feed(z, in.p, in.n);
	rc = inflate_into(z, max, out);
	if (rc == 0) {
		feed(z, tail, sizeof(tail));
		rc = inflate_into(z, max, out);
		/* else it was cut off in the middle of a block */
		if (rc == 0 && (z->data_type & BETWEEN_BLOCKS) == 0)
			return -EBADMSG;
	}
	/* Behind a final block (7.2.3.4) there is nothing of the message. */
	return rc == 1 ? 0 : rc;
}

/* --- negotiation --- */

static struct slice trim(struct slice s)
{
	while (s.n > 0 && (*s.p == ' ' || *s.p == '\t'))
		s.p++, s.n--;
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* Takes what stands before the next sep off *rest. */
static struct slice cut(struct slice *rest, char sep)
{
	const char *end = rest->n != 0 ? memchr(rest->p, sep, rest->n) : NULL;
	struct slice part = *rest;

	if (end == NULL) {
		*rest = (struct slice){ 0 };
	} else {
		part.n = (size_t)(end - rest->p);
		rest->p += part.n + 1;
		rest->n -= part.n + 1;
	}
	return trim(part);
}

static bool is(struct slice s, const char *text)
{
	return s.n == strlen(text) && strncasecmp(s.p, text, s.n) == 0;
}

/* 8 to 15, perhaps quoted */
static bool is_window(struct slice v)
{
	if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
		v = (struct slice){ v.p + 1, v.n - 2 };
	return (v.n == 1 && (*v.p == '8' || *v.p == '9')) ||
	       (v.n == 2 && v.p[0] == '1' && v.p[1] >= '0' && v.p[1] <= '5');
}

/* A parameter that we do not keep, twice the same, or an unknown one: the offer
 * cannot be taken (7). Ours is the largest window, so the client's may be any. */
static bool acceptable(struct slice offer)
{
	static const char *const flags[] = {
		"server_no_context_takeover", "client_no_context_takeover",
		"client_max_window_bits",
	};
	unsigned seen = 0;

	if (!is(cut(&offer, ';'), WS_DEFLATE_NAME))
		return false;
	while (offer.p != NULL) {
		struct slice value = cut(&offer, ';');
		bool valued = value.n != 0 && memchr(value.p, '=', value.n) != NULL;
		struct slice name = cut(&value, '=');
		unsigned i = 0;

		while (i < ARRAY_SIZE(flags) && !is(name, flags[i]))
			i++;
		if (i == ARRAY_SIZE(flags) || (seen & 1u << i) != 0 ||
		    (valued && (i != 2 || !is_window(trim(value)))))
			return false;
		seen |= 1u << i;
	}
	return true;
}

bool ws_deflate_offered(struct slice extensions)
{
	while (extensions.p != NULL) {
		if (acceptable(cut(&extensions, ',')))
			return true;
	}
	return false;
}
