#include "common/protocol/sio_packet.h"

#include <errno.h>

#include "tests/unit/protocol/exact.h"

struct row {
	const char *in;
	enum sio_type type;
	unsigned attachments;
	const char *nsp;
	int64_t ack;
	const char *json;
};

static const struct row good[] = {
	{ "0", SIO_CONNECT, 0, "/", -1, "" },
	{ "0{\"token\":\"t\"}", SIO_CONNECT, 0, "/", -1, "{\"token\":\"t\"}" },
	{ "0/admin", SIO_CONNECT, 0, "/admin", -1, "" },
	{ "0/admin,", SIO_CONNECT, 0, "/admin", -1, "" },
	{ "0/custom,{\"a\":1}", SIO_CONNECT, 0, "/custom", -1, "{\"a\":1}" },
	{ "0/,{}", SIO_CONNECT, 0, "/", -1, "{}" },
	{ "1", SIO_DISCONNECT, 0, "/", -1, "" },
	{ "1/custom,", SIO_DISCONNECT, 0, "/custom", -1, "" },
	{ "1/custom", SIO_DISCONNECT, 0, "/custom", -1, "" },
	{ "2[\"m\",1]", SIO_EVENT, 0, "/", -1, "[\"m\",1]" },
	{ "2", SIO_EVENT, 0, "/", -1, "" },
	{ "20[\"m\"]", SIO_EVENT, 0, "/", 0, "[\"m\"]" },
	{ "2456[\"m\"]", SIO_EVENT, 0, "/", 456, "[\"m\"]" },
	{ "2007[\"m\"]", SIO_EVENT, 0, "/", 7, "[\"m\"]" },
	{ "2/a,12[\"m\"]", SIO_EVENT, 0, "/a", 12, "[\"m\"]" },
	{ "2[\"m\",\"/x,1\"]", SIO_EVENT, 0, "/", -1, "[\"m\",\"/x,1\"]" },
	{ "29007199254740992[1]", SIO_EVENT, 0, "/", INT64_C(1) << 53, "[1]" },
	{ "3456[]", SIO_ACK, 0, "/", 456, "[]" },
	{ "3", SIO_ACK, 0, "/", -1, "" },
	{ "4{\"message\":\"no\"}", SIO_CONNECT_ERROR, 0, "/", -1,
	  "{\"message\":\"no\"}" },
	{ "4\"no\"", SIO_CONNECT_ERROR, 0, "/", -1, "\"no\"" },
	{ "51-[\"m\"]", SIO_BINARY_EVENT, 1, "/", -1, "[\"m\"]" },
	{ "510-[\"m\"]", SIO_BINARY_EVENT, 10, "/", -1, "[\"m\"]" },
	{ "52-/a,789[\"m\"]", SIO_BINARY_EVENT, 2, "/a", 789, "[\"m\"]" },
	{ "62-789[]", SIO_BINARY_ACK, 2, "/", 789, "[]" },
};

static const char *const bad[] = {
	"", "7", "9", "abc", "-1", " 2[\"m\"]", "\xff",
	/* payloads of the wrong kind */
	"0[]", "0\"x\"", "01[]", "0/a,[]", "1{}", "1[]", "2{}", "2\"m\"",
	"2null", "3{}", "4[]", "42[]",
	/* acknowledgement ids */
	"2abc[\"m\"]", "2-5[\"m\"]", "21e3[\"m\"]", "2 1[\"m\"]",
	"21.5[\"m\"]", "2+1[\"m\"]", "29007199254740993[1]",
	"299999999999999999999999999999[1]",
	/* attachments */
	"5", "51", "5-[\"m\"]", "51[\"m\"]", "50-[\"m\"]", "511-[\"m\"]",
	"5-1-[\"m\"]", "51.5-[\"m\"]", "5a-[\"m\"]", "6[]", "60-[]",
	"599999999999999999999-[]", "51-{}",
};

static void expect_row(const struct sio_packet *p, const struct row *r)
{
	cr_expect_eq(p->type, r->type, "%s", r->in);
	cr_expect_eq(p->attachments, r->attachments, "%s", r->in);
	cr_expect(same(p->nsp, text(r->nsp)), "%s", r->in);
	cr_expect_eq(p->ack, r->ack, "%s", r->in);
	cr_expect(same(p->json, text(r->json)), "%s", r->in);
}

Test(sio_packet, accepts)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct slice in = exact(good[i].in, strlen(good[i].in));
		struct sio_packet p;

		cr_assert_eq(sio_packet_parse(in, &p), 0, "%s", good[i].in);
		expect_row(&p, &good[i]);
		free((char *)in.p);
	}
}

Test(sio_packet, refuses)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct slice in = exact(bad[i], strlen(bad[i]));
		struct sio_packet p = { .ack = 77 };

		cr_expect_eq(sio_packet_parse(in, &p), -EBADMSG, "%s", bad[i]);
		cr_expect_eq(p.ack, 77, "output touched on failure");
		free((char *)in.p);
	}
}

/* A truncated packet may be a shorter valid one ("2" of "2[]"), but then its
 * parts lie within it. */
Test(sio_packet, every_truncation_stays_inside)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		for (size_t n = 0; n < strlen(good[i].in); n++) {
			struct slice in = exact(good[i].in, n);
			struct sio_packet p;

			if (sio_packet_parse(in, &p) == 0) {
				cr_expect(n > 0);
				cr_expect(p.json.p >= in.p);
				cr_expect(p.json.p + p.json.n == in.p + n);
			}
			free((char *)in.p);
		}
	}
}

Test(sio_packet, head_round_trip)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct buf b = { 0 };
		struct sio_packet p;

		sio_head_write(&b, good[i].type, good[i].attachments,
			       text(good[i].nsp), good[i].ack);
		buf_adds(&b, good[i].json);
		cr_assert_eq(b.p[0], '4');
		cr_assert_eq(sio_packet_parse((struct slice){ b.p + 1, b.len - 1 },
					      &p), 0);
		expect_row(&p, &good[i]);
		buf_free(&b);
	}
}

Test(sio_packet, heads)
{
	struct buf b = { 0 };

	sio_head_write(&b, SIO_EVENT, 0, SLICE("/"), SIO_NO_ACK);
	cr_expect_str_eq(buf_str(&b), "42");
	buf_clear(&b);
	sio_head_write(&b, SIO_ACK, 0, SLICE("/custom"), 17);
	cr_expect_str_eq(buf_str(&b), "43/custom,17");
	buf_clear(&b);
	sio_head_write(&b, SIO_CONNECT_ERROR, 0, SLICE("/random"), SIO_NO_ACK);
	cr_expect_str_eq(buf_str(&b), "44/random,");
	buf_clear(&b);
	sio_head_write(&b, SIO_BINARY_ACK, SIO_ATTACHMENTS_MAX, SLICE("/a"), 3);
	cr_expect_str_eq(buf_str(&b), "4610-/a,3");
	buf_free(&b);
}

Test(sio_packet, reserved_names)
{
	cr_expect(sio_event_reserved("connect"));
	cr_expect(sio_event_reserved("connect_error"));
	cr_expect(sio_event_reserved("disconnect"));
	cr_expect(sio_event_reserved("disconnecting"));
	cr_expect(sio_event_reserved("newListener"));
	cr_expect(sio_event_reserved("removeListener"));
	cr_expect(!sio_event_reserved("connection"));
	cr_expect(!sio_event_reserved("error"));
	cr_expect(!sio_event_reserved("message"));
	cr_expect(!sio_event_reserved(""));
}
