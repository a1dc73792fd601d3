/* Wire form:  01  <counter, decimal>  ':'  <kind>  <fields>
 * A field is its length as a varint (LEB128) and its bytes; sent_at_ms and pos
 * are eight bytes, little-endian. user_id and event are always there, the
 * others only for the kinds that track a message. ENV_EMIT_MANY: event, then
 * users, a field each, up to the end. */
#include "common/protocol/envelope.h"

#include <errno.h>
#include <string.h>

#define SRC_MAX 255
#define VARINT_MAX 5	/* bytes: lengths below 2^35 */

static bool tracks_message(enum envelope_kind kind)
{
	return kind == ENV_MESSAGE || kind == ENV_OWN_COPY;
}

static void put_field(struct buf *out, struct slice field)
{
	unsigned char *p;
	size_t n = field.n;

	buf_reserve(out, VARINT_MAX + field.n);
	p = (unsigned char *)out->p;
	while (n >= 0x80) {
		p[out->len++] = (unsigned char)(n | 0x80);
		n >>= 7;
	}
	p[out->len++] = (unsigned char)n;
	buf_add(out, field.p, field.n);
}

static void put_int(struct buf *out, int64_t v)
{
	unsigned char le[8];

	for (int i = 0; i < 8; i++)
		le[i] = (unsigned char)((uint64_t)v >> 8 * i);
	buf_add(out, le, 8);
}

void envelope_encode(struct buf *out, const struct envelope *e)
{
	buf_addc(out, (char)e->kind);
	if (e->kind == ENV_EMIT_MANY) {
		put_field(out, e->event);
		buf_add(out, e->users.p, e->users.n);
		return;
	}
	put_field(out, e->user_id);
	put_field(out, e->event);
	if (!tracks_message(e->kind))
		return;
	put_field(out, e->id);
	put_field(out, e->match_id);
	put_field(out, e->sender_id);
	put_field(out, e->src);
	put_int(out, e->sent_at_ms);
	put_int(out, e->pos);
}

/* A reader with a sticky error, asked once at the end. */
struct reader {
	const unsigned char *p;
	size_t left;
	bool bad;
};

static unsigned get_byte(struct reader *r)
{
	if (r->left == 0) {
		r->bad = true;
		return 0;
	}
	r->left--;
	return *r->p++;
}

static struct slice get_field(struct reader *r, size_t max)
{
	struct slice field;
	uint64_t n = 0;

	for (unsigned i = 0;; i++) {
		unsigned b = get_byte(r);

		n |= (uint64_t)(b & 0x7f) << 7 * i;
		if ((b & 0x80) == 0)
			break;
		if (i + 1 == VARINT_MAX) {
			r->bad = true;
			break;
		}
	}
	if (r->bad || n > r->left || n > max) {
		r->bad = true;
		return (struct slice){ 0 };
	}
	field = (struct slice){ (const char *)r->p, (size_t)n };
	r->p += n;
	r->left -= n;
	return field;
}

static int64_t get_int(struct reader *r)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v |= (uint64_t)get_byte(r) << 8 * i;
	return (int64_t)v;
}

/* "<digits>:" */
static uint64_t get_counter(struct reader *r)
{
	uint64_t v = 0;
	unsigned digits = 0;
	unsigned c;

	for (; (c = get_byte(r)) >= '0' && c <= '9'; digits++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, c - '0', &v))
			r->bad = true;
	}
	if (c != ':' || digits == 0)
		r->bad = true;
	return v;
}

static struct slice get_id(struct reader *r)
{
	struct slice id = get_field(r, PW_ID_MAX);

	r->bad = r->bad || id.n == 0;
	return id;
}

static void get_users(struct reader *r, struct slice *users_out)
{
	struct slice users = { (const char *)r->p, r->left };

	do
		get_id(r);
	while (!r->bad && r->left > 0);
	*users_out = users;
}

static void get_body(struct reader *r, struct envelope *e)
{
	if (e->kind == ENV_EMIT_MANY) {
		e->event = get_field(r, SIZE_MAX);
		get_users(r, &e->users);
		return;
	}
	e->user_id = get_id(r);
	e->event = get_field(r, SIZE_MAX);
	if (!tracks_message(e->kind))
		return;
	e->id = get_field(r, PW_ID_MAX);
	e->match_id = get_field(r, PW_ID_MAX);
	e->sender_id = get_field(r, PW_ID_MAX);
	e->src = get_field(r, SRC_MAX);
	e->sent_at_ms = get_int(r);
	e->pos = get_int(r);
}

int envelope_decode(struct slice in, struct envelope *out)
{
	struct reader r = { (const unsigned char *)in.p, in.n, false };
	struct envelope e = { 0 };
	unsigned kind;

	if (in.n > 0 && get_byte(&r) != ENVELOPE_VERSION) {
		*out = (struct envelope){ 0 };
		return -ENOTSUP;
	}
	e.counter = get_counter(&r);
	kind = get_byte(&r);
	if (r.bad)
		return -EBADMSG;
	if (kind < ENV_EMIT || kind > ENV_EMIT_MANY) {
		*out = e;
		return -ENOTSUP;
	}
	e.kind = (enum envelope_kind)kind;
	get_body(&r, &e);
	if (r.bad || r.left != 0)
		return -EBADMSG;
	*out = e;
	return 0;
}

bool envelope_next_user(struct slice *users, struct slice *user_out)
{
	struct reader r = { (const unsigned char *)users->p, users->n, false };

	if (users->n == 0)
		return false;
	*user_out = get_id(&r);
	*users = (struct slice){ (const char *)r.p, r.left };
	return !r.bad;
}
