#include "common/protocol/envelope.h"

#include <errno.h>

#include "tests/unit/protocol/exact.h"

/* every byte may occur in it */
#define EVENT "42[\"message:new\",{\"content\":\"a\0b:\x01\"}]"

static const struct envelope message = {
	.kind = ENV_MESSAGE,
	.user_id = { "user-b", 6 },
	.event = { EVENT, sizeof(EVENT) - 1 },
	.id = { "0123456789abcdef01234567", 24 },
	.match_id = { "m1", 2 },
	.sender_id = { "user-a", 6 },
	.src = { "host:boot:12", 12 },
	.sent_at_ms = 1767323045678,
	.pos = INT64_MIN + 5,
};

/* What the route script makes of a body. */
static void wrap(struct buf *out, const char *counter, const struct envelope *e)
{
	buf_addc(out, ENVELOPE_VERSION);
	buf_adds(out, counter);
	buf_addc(out, ':');
	envelope_encode(out, e);
}

static void expect_same(const struct envelope *a, const struct envelope *b)
{
	cr_expect_eq(a->kind, b->kind);
	cr_expect(same(a->user_id, b->user_id));
	cr_expect(same(a->event, b->event));
	cr_expect(same(a->id, b->id));
	cr_expect(same(a->match_id, b->match_id));
	cr_expect(same(a->sender_id, b->sender_id));
	cr_expect(same(a->src, b->src));
	cr_expect_eq(a->sent_at_ms, b->sent_at_ms);
	cr_expect_eq(a->pos, b->pos);
}

Test(envelope, round_trip_and_truncations)
{
	static const enum envelope_kind kinds[] = {
		ENV_EMIT, ENV_MESSAGE, ENV_OWN_COPY, ENV_DISCONNECT
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct envelope e = message, got;
		struct buf b = { 0 };

		e.kind = kinds[i];
		if (e.kind == ENV_EMIT || e.kind == ENV_DISCONNECT)
			e = (struct envelope){ .kind = kinds[i],
					       .user_id = message.user_id,
					       .event = message.event };
		wrap(&b, "42", &e);
		cr_assert_eq(envelope_decode(buf_slice(&b), &got), 0);
		cr_expect_eq(got.counter, 42u);
		expect_same(&got, &e);
		for (size_t n = 0; n < b.len; n++) {
			struct slice in = exact(b.p, n);

			cr_expect_eq(envelope_decode(in, &got), -EBADMSG);
			free((char *)in.p);
		}
		buf_addc(&b, 'x');
		cr_expect_eq(envelope_decode(buf_slice(&b), &got), -EBADMSG);
		buf_free(&b);
	}
}

Test(envelope, field_lengths)
{
	static const size_t lengths[] = { 0, 127, 128, 16383, 16384, 300000 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct envelope e = message, got;
		struct buf event = { 0 }, b = { 0 };

		for (size_t n = 0; n < lengths[i]; n++)
			buf_addc(&event, (char)n);
		e.event = buf_slice(&event);
		wrap(&b, "1", &e);
		cr_assert_eq(envelope_decode(buf_slice(&b), &got), 0);
		expect_same(&got, &e);
		buf_free(&event);
		buf_free(&b);
	}
}

Test(envelope, id_length)
{
	char id[PW_ID_MAX + 1];
	struct envelope e = message, got;
	struct buf b = { 0 };

	memset(id, 'i', sizeof(id));
	e.match_id = (struct slice){ id, PW_ID_MAX };
	wrap(&b, "1", &e);
	cr_expect_eq(envelope_decode(buf_slice(&b), &got), 0);
	buf_clear(&b);
	e.match_id.n++;
	wrap(&b, "1", &e);
	cr_expect_eq(envelope_decode(buf_slice(&b), &got), -EBADMSG);
	buf_clear(&b);
	e = message;
	e.user_id.n = 0;
	wrap(&b, "1", &e);
	cr_expect_eq(envelope_decode(buf_slice(&b), &got), -EBADMSG);
	buf_free(&b);
}

Test(envelope, counters)
{
	static const struct {
		const char *counter;
		int rc;
		uint64_t want;
	} rows[] = {
		{ "0", 0, 0 }, { "1", 0, 1 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -EBADMSG, 0 },
		{ "99999999999999999999999", -EBADMSG, 0 },
		{ "", -EBADMSG, 0 }, { "-1", -EBADMSG, 0 }, { "1 ", -EBADMSG, 0 },
		{ "1.0", -EBADMSG, 0 }, { "x", -EBADMSG, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct envelope got;
		struct buf b = { 0 };

		wrap(&b, rows[i].counter, &message);
		cr_expect_eq(envelope_decode(buf_slice(&b), &got), rows[i].rc, "%s",
			     rows[i].counter);
		if (rows[i].rc == 0)
			cr_expect_eq(got.counter, rows[i].want);
		buf_free(&b);
	}
}

Test(envelope, other_versions_and_kinds)
{
	struct envelope got = message;

	cr_expect_eq(envelope_decode(SLICE("\x02" "anything"), &got), -ENOTSUP);
	cr_expect_eq(got.counter, 0u);
	cr_expect_eq(envelope_decode(SLICE("\x01" "17:\x63" "new fields"), &got),
		     -ENOTSUP);
	cr_expect_eq(got.counter, 17u);
	cr_expect_eq(got.user_id.n, 0u);
	cr_expect_eq(envelope_decode(SLICE("\x01" "17:\0"), &got), -ENOTSUP);
}

/* A varint that never ends, and lengths past the end. */
Test(envelope, hostile_lengths)
{
	static const struct slice bad[] = {
		{ "\x01" "1:\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 14 },
		{ "\x01" "1:\x01\xff\xff\xff\xff\x0f", 9 },
		{ "\x01" "1:\x01\x05u", 6 },
		{ "\x01" "1:\x01\x01u\x80", 7 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct slice in = exact(bad[i].p, bad[i].n);
		struct envelope got;

		cr_expect_eq(envelope_decode(in, &got), -EBADMSG, "row %zu", i);
		free((char *)in.p);
	}
}

Test(envelope, many_users)
{
	static const struct {
		struct slice users;
		int rc;
		size_t n;
	} rows[] = {
		{ SLICE("\3ann"), 0, 1 },
		{ SLICE("\3ann\3bob\1c"), 0, 3 },
		{ SLICE(""), -EBADMSG, 0 },
		{ SLICE("\3ann\0"), -EBADMSG, 0 },
		{ SLICE("\3ann\4bob"), -EBADMSG, 0 },
		{ SLICE("\3ann\3"), -EBADMSG, 0 },
		{ SLICE("\3ann\x80"), -EBADMSG, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct envelope e = { .kind = ENV_EMIT_MANY,
				      .event = SLICE("42[\"x\"]"),
				      .users = rows[i].users };
		struct envelope got = { 0 };
		struct slice user = { 0 };
		struct buf b = { 0 };
		size_t n = 0;

		wrap(&b, "17", &e);
		cr_expect_eq(envelope_decode(buf_slice(&b), &got), rows[i].rc,
			     "row %zu", i);
		if (rows[i].rc == 0) {
			cr_expect_eq(got.counter, 17);
			cr_expect_eq(got.kind, ENV_EMIT_MANY);
			cr_expect_eq(got.event.n, e.event.n);
			while (envelope_next_user(&got.users, &user))
				n++;
		}
		cr_expect_eq(n, rows[i].n, "row %zu", i);
		buf_free(&b);
	}
}

Test(envelope, the_longest_of_many_users)
{
	struct envelope e = { .kind = ENV_EMIT_MANY, .event = SLICE("e") }, got;
	struct slice user;
	char users[2 + PW_ID_MAX + 1];
	struct buf b = { 0 };

	memset(users, 'u', sizeof(users));
	for (size_t n = PW_ID_MAX; n <= PW_ID_MAX + 1; n++) {
		bool fits = n == PW_ID_MAX;

		users[0] = (char)(n | 0x80);
		users[1] = 1;
		e.users = (struct slice){ users, 2 + n };
		buf_clear(&b);
		wrap(&b, "1", &e);
		cr_assert_eq(envelope_decode(buf_slice(&b), &got),
			     fits ? 0 : -EBADMSG);
		if (fits) {
			cr_expect(envelope_next_user(&got.users, &user));
			cr_expect_eq(user.n, n);
		}
	}
	buf_free(&b);
}
