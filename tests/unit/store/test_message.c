#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/message.h"

/* Made with another SHA-256: lengths as 4 bytes big-endian before each part. */
Test(message, id_vectors)
{
	static const struct {
		const char *sender, *match, *temp, *id;
	} rows[] = {
		{ "u1", "m1", "\"a1\"", "94a5ff3abe0dbfedf0df55b5" },
		{ "u1", "m1", "17", "125f314dbd67b734fa228a5d" },
		{ "u1m", "1", "\"a1\"", "50c3f0a001ef22a2c1c92f15" },
		{ "u1", "m1", "\"\xd0\x96\xf0\x9f\x98\x80\"",
		  "c8761043e7fd08ec2f0f126c" },
		{ "", "", "\"\"", "582450829bb3350a82429bea" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char id[MESSAGE_ID_LEN + 1];

		message_id_make(rows[i].sender, rows[i].match, rows[i].temp, id);
		cr_expect_str_eq(id, rows[i].id, "row %zu", i);
		cr_expect(message_id_valid((struct slice){ id, strlen(id) }));
	}
}

Test(message, id_without_temp_id_is_random)
{
	char a[MESSAGE_ID_LEN + 1], b[MESSAGE_ID_LEN + 1];

	message_id_make("u1", "m1", NULL, a);
	message_id_make("u1", "m1", NULL, b);
	cr_expect_str_neq(a, b);
	cr_expect(message_id_valid((struct slice){ a, strlen(a) }));
}

Test(message, id_valid)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{ "0123456789abcdef01234567", true },
		{ "0123456789abcdef0123456", false },
		{ "0123456789abcdef012345678", false },
		{ "0123456789ABCDEF01234567", false },
		{ "0123456789abcdef0123456g", false },
		{ "0123456789abcdef0123456\xff", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(message_id_valid((struct slice){
				     rows[i].text, strlen(rows[i].text) }),
			     rows[i].valid, "row %zu", i);
}

Test(message, types)
{
	enum message_type t;

	for (unsigned i = 0; i < MESSAGE_TYPES; i++) {
		const char *name = message_type_name(i);

		cr_expect_eq(message_type_parse(
				     (struct slice){ name, strlen(name) }, &t),
			     0);
		cr_expect_eq(t, i);
		for (size_t n = 0; n < strlen(name); n++)
			cr_expect_neq(message_type_parse(
					      (struct slice){ name, n }, &t),
				      0);
	}
	cr_expect_str_eq(message_type_name(MSG_VOICE), "voice");
	cr_expect_neq(message_type_parse(SLICE("texts"), &t), 0);
	cr_expect_neq(message_type_parse(SLICE("Text"), &t), 0);
}

static const struct message full = {
	.id = "0123456789abcdef01234567",
	.match_id = "m1",
	.sender_id = "u1",
	.recipient_id = "u2",
	.content = { "hello\0x", 5 },
	.type = MSG_IMAGE,
	.media_url = "https://x/y",
	.temp_id = "\"t\"",
	.sent_at_ms = 1,
	.pos = 2,
	.src = "h:b:1",
	.owe = 3,
	.chg = 4,
	.delivered_at_ms = 5,
	.read_at_ms = 6,
};

Test(message, dup)
{
	struct message *d = message_dup(&full);

	cr_expect_str_eq(d->id, full.id);
	cr_expect_str_eq(d->match_id, "m1");
	cr_expect_str_eq(d->sender_id, "u1");
	cr_expect_str_eq(d->recipient_id, "u2");
	cr_expect_eq(d->content.n, 5);
	cr_expect_arr_eq(d->content.p, "hello", 5);
	cr_expect_str_eq(d->media_url, "https://x/y");
	cr_expect_str_eq(d->temp_id, "\"t\"");
	cr_expect_str_eq(d->src, "h:b:1");
	cr_expect_neq(d->src, full.src);
	cr_expect_eq(d->read_at_ms, 6);
	free(d);
}

Test(message, dup_without_the_optional)
{
	struct message m = full, *d;

	m.media_url = m.temp_id = NULL;
	m.content = (struct slice){ NULL, 0 };
	d = message_dup(&m);
	cr_expect_null(d->media_url);
	cr_expect_null(d->temp_id);
	cr_expect_eq(d->content.n, 0);
	free(d);
}

Test(message, same)
{
	struct message m = full;

	/* What the second attempt of a send differs in by itself. */
	m.sent_at_ms++;
	m.pos++;
	m.chg++;
	m.delivered_at_ms = 0;
	m.src = "h:b:2";
	cr_expect(message_same(&m, &full));

	m.content.n = 4;
	cr_expect_not(message_same(&m, &full));
	m.content = (struct slice){ "Hello", 5 };
	cr_expect_not(message_same(&m, &full));
	m = full;
	m.type = MSG_TEXT;
	cr_expect_not(message_same(&m, &full));
	m = full;
	m.media_url = NULL;
	cr_expect_not(message_same(&m, &full));
	cr_expect_not(message_same(&full, &m));
	m = full;
	m.recipient_id = "u3";
	cr_expect_not(message_same(&m, &full));
	m = full;
	m.content = (struct slice){ NULL, 0 };
	cr_expect(message_same(&m, &m));
}
