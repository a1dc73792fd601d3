/* Notifications around their largest size. */
#include <errno.h>
#include <stdio.h>

#include "pushd/notification.h"
#include "tests/unit/protocol/exact.h"

#define NOW_MS 1767323045678

static struct templates *templates;
static struct notification n;

static void set_up(void)
{
	char err[TEMPLATES_ERR_MAX];

	cr_assert_eq(templates_load("", &templates, err), 0);
}

static void tear_down(void)
{
	notification_free(&n);
	templates_free(&templates);
}

TestSuite(notification_size, .init = set_up, .fini = tear_down);

/* Takes data. What it returns is what notification_make() does. */
static int make(enum provider p, const char *type, json_t *data)
{
	struct device d = { .id = "d", .token = "to\"ken", .provider = p,
			    .locale = "" };
	struct push_event e = { .user_id = (char *)"u", .type = (char *)type,
				.data = data, .expires_at_ms = NOW_MS + 5000 };
	int rc = notification_make(&e, &d, templates, 7, NOW_MS, &n);

	json_decref(data);
	return rc;
}

static size_t counted(void)
{
	return n.body.len - (n.provider == PROVIDER_FCM ?
			     sizeof("\"to\\\"ken\"") - 1 : 0);
}

/* Valid JSON is valid UTF-8. */
static json_t *parsed(void)
{
	json_error_t err;
	json_t *v = json_loadb(n.body.p, n.body.len,
			       JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &err);

	cr_assert_not_null(v, "%s: %.*s", err.text, (int)n.body.len, n.body.p);
	cr_assert_leq(counted(), NOTIFICATION_MAX);
	return v;
}

static json_t *data_of(json_t *body)
{
	return n.provider == PROVIDER_APNS ? body :
		json_object_get(json_object_get(body, "message"), "data");
}

static const char *member(json_t *body, const char *key)
{
	return json_string_value(json_object_get(data_of(body), key));
}

static const char *alert(json_t *body, const char *key)
{
	json_t *a = n.provider == PROVIDER_APNS ?
		json_object_get(json_object_get(body, "aps"), "alert") :
		json_object_get(json_object_get(body, "message"), "notification");

	return json_string_value(json_object_get(a, key));
}

static char *repeated(const char *s, size_t times)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < times; i++)
		buf_adds(&b, s);
	buf_str(&b);
	return b.p;
}

static json_t *message(const char *unit, size_t chars, size_t pad)
{
	char *content = repeated(unit, chars), *p = repeated("p", pad);
	json_t *data = json_pack("{s:s,s:s,s:s,s:s}", "matchId", "m1",
				 "senderName", "Anna", "content", content,
				 "pad", p);

	cr_assert_not_null(data);
	free(content);
	free(p);
	return data;
}

static const char *const units[] = {
	"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
};

/* Uncut: the text as sent, in both places. Cut: as much of it as there is room
 * for, alike, and the ellipsis. */
static void check_text(const char *unit, size_t chars, bool cut)
{
	json_t *body = parsed();
	const char *content = member(body, "content");
	size_t w = strlen(unit), len = strlen(content);
	char *whole = repeated(unit, chars);

	cr_expect_str_eq(alert(body, "body"), content);
	if (!cut) {
		cr_expect_str_eq(content, whole);
	} else {
		cr_expect_str_eq(content + len - 3, "\xe2\x80\xa6");
		cr_expect_eq((len - 3) % w, 0);
		cr_expect_eq(memcmp(content, whole, len - 3), 0);
		cr_expect_gt(counted() + 2 * w, NOTIFICATION_MAX);
	}
	free(whole);
	json_decref(body);
}

Test(notification_size, around_the_limit)
{
	for (enum provider p = 0; p < PROVIDER__COUNT; p++)
		for (size_t u = 0; u < ARRAY_SIZE(units); u++)
			for (size_t want = 4090; want < 4106; want++) {
				size_t w = strlen(units[u]), base, chars, pad;

				cr_assert_eq(make(p, "new_message",
						  message(units[u], 1, 0)), 0);
				base = counted() - 2 * w;
				chars = (want - base - 40) / (2 * w);
				pad = want - base - 2 * w * chars;
				cr_assert_eq(make(p, "new_message",
						  message(units[u], chars, pad)),
					     0);
				check_text(units[u], chars,
					   want > NOTIFICATION_MAX);
				if (want <= NOTIFICATION_MAX)
					cr_expect_eq(counted(), want);
			}
}

/* Whatever the length, and whatever its escapes take. */
Test(notification_size, every_length)
{
	static const char *const texts[] = {
		"x", "\"", "\x01", "\xc3\xa4\n", "e\xcc\x81",
		"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7",
		"\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa",
	};

	for (enum provider p = 0; p < PROVIDER__COUNT; p++)
		for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
			for (size_t c = 1; c < 9000; c += c < 300 ? 7 : 211) {
				cr_assert_eq(make(p, "new_message",
						  message(texts[i], c, 100)), 0);
				json_decref(parsed());
			}
}

Test(notification_size, then_the_longest_members)
{
	for (enum provider p = 0; p < PROVIDER__COUNT; p++) {
		char *x = repeated("\xc3\xa4", 3000), *y = repeated("y", 100);
		json_t *body, *list = json_array(), *object = json_object();

		for (int i = 0; i < 500; i++) {
			json_array_append_new(list, json_integer(i));
			json_object_set_new(object, "k", json_string(x));
		}
		cr_assert_eq(make(p, "new_message",
			json_pack("{s:s,s:s,s:s,s:s,s:o,s:o}", "matchId", y, "a",
				  x, "content", x, "b", x, "list", list,
				  "object", object)), 0);
		body = parsed();
		cr_expect_gt(counted(), NOTIFICATION_MAX - 10);
		cr_expect_str_eq(member(body, "matchId"), y);
		cr_expect_str_eq(member(body, "a"), member(body, "b"));
		cr_expect_gt(strlen(member(body, "a")), 900);
		cr_expect_leq(strlen(member(body, "content")),
			      NOTIFICATION_TEXT_LEAST);
		cr_expect_gt(strlen(member(body, "content")),
			     NOTIFICATION_TEXT_LEAST - 4);
		list = json_loads(member(body, "list"), 0, NULL);
		cr_expect_gt(json_array_size(list), 200);
		cr_expect_eq(json_integer_value(json_array_get(list, 200)), 200);
		cr_expect_null(member(body, "object"));
		json_decref(list);
		json_decref(body);
		free(x);
		free(y);
	}
}

Test(notification_size, as_many_ids_as_fit)
{
	for (enum provider p = 0; p < PROVIDER__COUNT; p++) {
		json_t *ids = json_array(), *body, *told;

		for (int i = 0; i < PUSH_READ_IDS; i++)
			json_array_append_new(ids, json_sprintf("%024x", i));
		cr_assert_eq(make(p, PUSH_TYPE_READ,
				  json_pack("{s:s,s:o}", "matchId", "m1",
					    "messageIds", ids)), 0);
		body = parsed();
		told = json_loads(member(body, "messageIds"), 0, NULL);
		cr_expect_gt(json_array_size(told), 110);
		cr_expect_str_eq(json_string_value(json_array_get(told, 99)),
				 "000000000000000000000063");
		cr_expect_str_eq(member(body, "matchId"), "m1");
		json_decref(told);
		json_decref(body);
	}
}

Test(notification_size, too_large)
{
	for (enum provider p = 0; p < PROVIDER__COUNT; p++) {
		json_t *many = json_object(), *body;
		char key[16], *name = repeated("k", 5000);

		for (int i = 0; i < 100; i++) {
			snprintf(key, sizeof(key), "key%d", i);
			json_object_set_new(many, key,
				json_string("0123456789012345678901234567890"));
		}
		cr_expect_eq(make(p, "new_message", many), -EMSGSIZE);
		cr_expect_eq(make(p, "like", json_pack("{s:b}", name, 1)),
			     -EMSGSIZE);
		/* and the next one is good */
		cr_expect_eq(make(p, "like", json_object()), 0);
		body = parsed();
		json_decref(body);
		free(name);
	}
}

/* A token is not of the payload. */
Test(notification_size, long_token)
{
	char *token = repeated("t", TOKEN_MAX);
	struct device d = { .token = token, .provider = PROVIDER_FCM,
			    .locale = "" };
	struct push_event e = { .type = (char *)"new_message",
				.data = message("x", 1000, 1) };

	cr_assert_eq(notification_make(&e, &d, templates, 0, NOW_MS, &n), 0);
	cr_expect_gt(n.body.len, TOKEN_MAX + 2000);
	json_decref(e.data);
	free(token);
}

Test(notification_size, times)
{
	static const struct {
		int64_t expires_ms, expires_s;
		const char *ttl;
	} rows[] = {
		{ NOW_MS + 60000, 1767323105, "60s" },
		{ NOW_MS + 300, 1767323045, "0s" },
		{ NOW_MS - 60000, 1767322985, "0s" },
		{ 0, 0, "0s" },
		{ INT64_MAX, 1767323045 + 2419200, "2419200s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct device d = { .token = "t", .provider = PROVIDER_FCM,
				    .locale = "" };
		struct push_event e = { .type = (char *)"like",
					.data = json_object(),
					.expires_at_ms = rows[i].expires_ms };
		json_t *body, *ttl;

		cr_assert_eq(notification_make(&e, &d, templates, 0, NOW_MS, &n),
			     0);
		cr_expect_eq(n.expires_s, rows[i].expires_s, "row %zu", i);
		body = json_loadb(n.body.p, n.body.len, 0, NULL);
		ttl = json_object_get(json_object_get(json_object_get(body,
			"message"), "android"), "ttl");
		cr_expect_str_eq(json_string_value(ttl), rows[i].ttl);
		json_decref(body);
		json_decref(e.data);
	}
}
