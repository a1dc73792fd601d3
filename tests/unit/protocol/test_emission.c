#include "common/protocol/emission.h"

#include <errno.h>

#include "tests/unit/protocol/exact.h"

/* What @socket.io/redis-emitter 5.1 publishes for to("user:a").emit(…), in two
 * pieces around the array of the event's name and arguments. */
#define HEAD "\x93\xa7" "emitter" "\x83\xa4" "type" "\x02\xa4" "data"
#define NSP "\xa3" "nsp" "\xa1/"
#define ROOMS "\x83\xa5" "rooms" "\x91\xa6" "user:a"
#define REST "\xa5" "flags" "\x80\xa6" "except" "\x90"
#define TAIL NSP ROOMS REST

#define BYTES(s) { (s), sizeof(s) - 1 }

static struct buf frame;
static struct emission_to to;

static int decode(struct slice msg)
{
	struct slice in = exact(msg.p, msg.n);
	int err;

	buf_clear(&frame);
	buf_adds(&frame, "before");
	err = emission_decode(in, &to, &frame);
	free((char *)(uintptr_t)in.p);	/* nothing is borrowed from it */
	return err;
}

static void done(void)
{
	emission_to_free(&to);
	buf_free(&frame);
}

Test(emission, frames)
{
	static const struct {
		struct slice msg;
		const char *frame;
	} cases[] = {
		{ BYTES(HEAD "\x91\xa1x" TAIL), "42[\"x\"]" },
		{ BYTES(HEAD "\x97\xa1x\xc0\xc2\xc3\x00\x7f\xff" TAIL),
		  "42[\"x\",null,false,true,0,127,-1]" },
		{ BYTES(HEAD "\x95\xa1x\xcd\x01\x00\xd2\x80\x00\x00\x00"
			"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"
			"\xd3\x80\x00\x00\x00\x00\x00\x00\x00" TAIL),
		  "42[\"x\",256,-2147483648,18446744073709551615,"
		  "-9223372036854775808]" },
		/* 0.1, 1/3, -1.5e300, NaN, infinity; 0.5 of 32 bits */
		{ BYTES(HEAD "\x97\xa1x"
			"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"
			"\xcb\x3f\xd5\x55\x55\x55\x55\x55\x55"
			"\xcb\xfe\x41\xeb\x8c\x3a\x3e\x0c\x1d"
			"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"
			"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"
			"\xca\x3f\x00\x00\x00" TAIL), NULL },
		{ BYTES(HEAD "\x92\xa1x\x82\xa1" "a\x92\x01\x90\xa1" "b\x80" TAIL),
		  "42[\"x\",{\"a\":[1,[]],\"b\":{}}]" },
		{ BYTES(HEAD "\x92\xa1x\xa6\"\n\xc3\xa9\\\x01" TAIL),
		  "42[\"x\",\"\\\"\\n\xc3\xa9\\\\\\u0001\"]" },
		/* 2030-01-01T00:00:00Z, the same and 5 ms, one second before 1970 */
		{ BYTES(HEAD "\x94\xa1x\xd6\xff\x70\xdb\xd8\x80"
			"\xd7\xff\x01\x31\x2d\x00\x70\xdb\xd8\x80"
			"\xc7\x0c\xff\x00\x00\x00\x00"
			"\xff\xff\xff\xff\xff\xff\xff\xff" TAIL),
		  "42[\"x\",\"2030-01-01T00:00:00.000Z\","
		  "\"2030-01-01T00:00:00.005Z\",\"1969-12-31T23:59:59.000Z\"]" },
		/* without a namespace; opts with nothing in them */
		{ BYTES("\x93\xa1u\x82\xa4" "type" "\x02\xa4" "data" "\x91\xa1x\x80"),
		  "42[\"x\"]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(decode(cases[i].msg), 0, "case %zu", i);
		cr_expect(strncmp(buf_str(&frame), "before42[", 9) == 0);
		if (cases[i].frame != NULL)
			cr_expect_str_eq(buf_str(&frame) + 6, cases[i].frame);
		else
			cr_expect(strncmp(frame.p + 6,
					  "42[\"x\",0.1,0.333333333333333", 28) == 0 &&
				  strstr(frame.p, ",null,null,0.5]") != NULL,
				  "%s", frame.p);
		emission_to_free(&to);
	}
	done();
}

Test(emission, rooms_are_sorted_and_each_once)
{
	struct slice msg = BYTES(HEAD "\x91\xa1x" NSP "\x82\xa6" "except" "\x92"
				 "\xa1z\xa0" "\xa5" "rooms" "\x95\xa2" "bb"
				 "\xa1" "b" "\xa1" "a" "\xa2" "bb" "\xa1" "b");
	static const char *const want[] = { "a", "b", "bb" };

	cr_assert_eq(decode(msg), 0);
	cr_assert_eq(to.rooms.n, 3);
	for (size_t i = 0; i < 3; i++) {
		cr_expect(same(to.rooms.names[i], text(want[i])));
		cr_expect(rooms_have(&to.rooms, text(want[i])));
	}
	cr_expect_not(rooms_have(&to.rooms, text("")));
	cr_expect_not(rooms_have(&to.rooms, text("bbb")));
	cr_expect_eq(to.except.n, 2);
	cr_expect(rooms_have(&to.except, text("")));
	cr_expect(rooms_have(&to.except, text("z")));
	done();
}

Test(emission, refused)
{
	static const struct {
		struct slice msg;
		int err;
	} cases[] = {
		{ BYTES(""), -EBADMSG },
		{ BYTES("\xc1"), -EBADMSG },
		{ BYTES("\xc0"), -EBADMSG },
		{ BYTES("\x90"), -EBADMSG },
		{ BYTES("[\"emitter\",{},{}]"), -EBADMSG },
		{ BYTES(HEAD "\x91\xa1x" TAIL "\xc0"), -EBADMSG },
		{ BYTES(HEAD "\x90" TAIL), -EBADMSG },
		{ BYTES(HEAD "\x91\x01" TAIL), -EBADMSG },
		{ BYTES(HEAD "\x80" TAIL), -EBADMSG },
		{ BYTES(HEAD "\xa1x" TAIL), -EBADMSG },
		{ BYTES(HEAD "\x91\xa1\xff" TAIL), -EBADMSG },
		{ BYTES(HEAD "\x92\xa1x\xa2\xc0\x80" TAIL), -EBADMSG },
		{ BYTES(HEAD "\x92\xa1x\x81\x01\x02" TAIL), -EBADMSG },
		{ BYTES(HEAD "\x92\xa1x\x81\xa1\xff\x02" TAIL), -EBADMSG },
		{ BYTES(HEAD "\x91\xa1x" NSP "\x90"), -EBADMSG },
		{ BYTES(HEAD "\x91\xa1x" NSP "\x81\xa5" "rooms" "\xa1r"), -EBADMSG },
		{ BYTES(HEAD "\x91\xa1x" NSP "\x81\xa5" "rooms" "\x91\x01"), -EBADMSG },
		{ BYTES(HEAD "\x91\xa1x" NSP "\x81\xa6" "except" "\x91\xc0"), -EBADMSG },
		/* a timestamp of 5 bytes */
		{ BYTES(HEAD "\x92\xa1x\xc7\x05\xff\0\0\0\0\0" TAIL), -EBADMSG },
		/* another namespace, another type, reserved names */
		{ BYTES(HEAD "\x91\xa1x\xa3" "nsp" "\xa2/x" ROOMS REST), -ENOTSUP },
		{ BYTES("\x93\xa1u\x83\xa4" "type" "\x05\xa4" "data" "\x91\xa1x" TAIL),
		  -ENOTSUP },
		{ BYTES("\x93\xa1u\x83\xa4" "type" "\xff\xa4" "data" "\x91\xa1x" TAIL),
		  -EBADMSG },
		{ BYTES(HEAD "\x91\xa7" "connect" TAIL), -ENOTSUP },
		{ BYTES(HEAD "\x91\xad" "connect_error" TAIL), -ENOTSUP },
		{ BYTES(HEAD "\x91\xaa" "disconnect" TAIL), -ENOTSUP },
		{ BYTES(HEAD "\x91\xad" "disconnecting" TAIL), -ENOTSUP },
		{ BYTES(HEAD "\x91\xab" "newListener" TAIL), -ENOTSUP },
		{ BYTES(HEAD "\x91\xae" "removeListener" TAIL), -ENOTSUP },
		/* binary, another extension, the year 10000, a second of 1e9 ns */
		{ BYTES(HEAD "\x92\xa1x\xc4\x01\x00" TAIL), -ENOTSUP },
		{ BYTES(HEAD "\x92\xa1x\x81\xa1y\x91\xc4\x00" TAIL), -ENOTSUP },
		{ BYTES(HEAD "\x92\xa1x\xd4\x00\x00" TAIL), -ENOTSUP },
		{ BYTES(HEAD "\x92\xa1x\xc7\x0c\xff\0\0\0\0\0\0\0\x3a\xff\xf4\x41\x80"
			TAIL), -ENOTSUP },
		{ BYTES(HEAD "\x92\xa1x\xd7\xff\xee\x6b\x28\x00\0\0\0\0" TAIL),
		  -ENOTSUP },
		/* arrays and strings that claim more than there is */
		{ BYTES("\xdd\xff\xff\xff\xff"), -EBADMSG },
		{ BYTES("\xdf\xff\xff\xff\xff\xa1x"), -EBADMSG },
		{ BYTES(HEAD "\xdd\x0f\xff\xff\xff\xa1x"), -EBADMSG },
		{ BYTES(HEAD "\x92\xa1x\xdb\xff\xff\xff\xffy" TAIL), -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(decode(cases[i].msg), cases[i].err, "case %zu", i);
		cr_expect_str_eq(buf_str(&frame), "before", "case %zu", i);
		cr_expect_null(to.rooms.names);
		cr_expect_null(to.text.p);
	}
	done();
}

Test(emission, truncated)
{
	struct slice msg = BYTES(HEAD "\x94\xa3" "abc" "\x81\xa1y\x92\x01\xc0"
				 "\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"
				 "\xd6\xff\x70\xdb\xd8\x80" TAIL);

	for (size_t n = 0; n < msg.n; n++)
		cr_expect_eq(decode((struct slice){ msg.p, n }), -EBADMSG,
			     "%zu bytes", n);
	cr_expect_eq(decode(msg), 0);
	done();
}

Test(emission, deep_and_large)
{
	struct buf b = { 0 };
	struct slice tail = BYTES(TAIL);
	struct slice open = BYTES(HEAD "\x92\xa1x\xdb");
	const uint32_t text_n = EMISSION_MAX / 2;

	/* whoever nests is heard up to the library's 32 levels */
	for (size_t depth = 0; depth < 100000; depth = depth * 3 + 1) {
		buf_clear(&b);
		buf_add(&b, HEAD "\x92\xa1x", sizeof(HEAD) + 2);
		for (size_t i = 0; i < depth; i++)
			buf_addc(&b, '\x91');
		buf_addc(&b, '\x01');
		buf_add(&b, tail.p, tail.n);
		cr_expect_eq(decode(buf_slice(&b)), depth < 28 ? 0 : -EBADMSG,
			     "depth %zu", depth);
		emission_to_free(&to);
	}

	/* escapes make it six times as long */
	for (int c = 1; c <= 'a'; c += 'a' - 1) {
		buf_clear(&b);
		buf_add(&b, open.p, open.n);
		for (int shift = 24; shift >= 0; shift -= 8)
			buf_addc(&b, (char)(text_n >> shift));
		for (uint32_t i = 0; i < text_n; i++)
			buf_addc(&b, (char)c);
		buf_add(&b, tail.p, tail.n);
		cr_expect_eq(decode(buf_slice(&b)), c == 'a' ? 0 : -EMSGSIZE);
		emission_to_free(&to);
	}
	for (uint32_t i = 0; i < text_n; i++)
		buf_addc(&b, 'a');
	cr_expect_eq(decode(buf_slice(&b)), -EMSGSIZE);
	buf_free(&b);
	done();
}

Test(emission, requests)
{
	static const struct {
		const char *json;
		int err;
		size_t rooms, except;
	} cases[] = {
		{ "{\"type\":4,\"opts\":{\"rooms\":[\"user:a\"],\"except\":[]},"
		  "\"close\":false}", 0, 1, 0 },
		{ "{\"uid\":\"x\",\"type\":4,\"opts\":{\"rooms\":[\"b\",\"a\",\"b\"],"
		  "\"except\":[\"\\u0000\"]},\"close\":true}", 0, 2, 1 },
		{ "{\"type\":4,\"opts\":{}}", 0, 0, 0 },
		{ "{\"type\":2,\"opts\":{\"rooms\":[]},\"rooms\":[\"r\"]}", -ENOTSUP, 0, 0 },
		{ "{\"uid\":\"emitter\",\"type\":6,\"data\":[\"x\"]}", -ENOTSUP, 0, 0 },
		{ "{\"type\":4}", -EBADMSG, 0, 0 },
		{ "{\"type\":4,\"opts\":[]}", -EBADMSG, 0, 0 },
		{ "{\"type\":4,\"opts\":{\"rooms\":\"user:a\"}}", -EBADMSG, 0, 0 },
		{ "{\"type\":4,\"opts\":{\"rooms\":[\"a\",1]}}", -EBADMSG, 0, 0 },
		{ "{\"type\":4,\"opts\":{\"except\":{}}}", -EBADMSG, 0, 0 },
		{ "{\"type\":\"4\",\"opts\":{}}", -EBADMSG, 0, 0 },
		{ "{\"opts\":{}}", -EBADMSG, 0, 0 },
		{ "[4]", -EBADMSG, 0, 0 },
		{ "", -EBADMSG, 0, 0 },
		{ "\x83\xa4type\x07", -EBADMSG, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct slice in = exact(cases[i].json, strlen(cases[i].json));

		cr_expect_eq(emission_request(in, &to), cases[i].err, "%s",
			     cases[i].json);
		free((char *)(uintptr_t)in.p);
		cr_expect_eq(to.rooms.n, cases[i].rooms);
		cr_expect_eq(to.except.n, cases[i].except);
		if (cases[i].except == 1)
			cr_expect(rooms_have(&to.except, (struct slice){ "", 1 }));
		emission_to_free(&to);
	}
}
