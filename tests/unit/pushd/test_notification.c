#include "pushd/notification.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/utf8.h"
#include "tests/unit/protocol/exact.h"

#define NOW_MS 1767323045678	/* 2026-01-02T03:04:05.678Z */
#define HEAD "{\"userId\":\"ben\",\"type\":\""
#define TAIL ",\"expiresAt\":\"2026-01-02T07:04:05.678Z\"}"	/* 4 h later */
#define MESSAGE                                                             \
	HEAD "new_message\",\"data\":{\"matchId\":\"m1\",\"senderId\":\"anna\"," \
	"\"senderName\":\"Anna\",\"content\":\"Hi \\\"Ben\\\"\","           \
	"\"messageId\":\"0123456789abcdef01234567\"}" TAIL

#define FCM_HEAD "{\"message\":{\"token\":\"to:k\","
#define FCM_TEXT(title, body) \
	"\"notification\":{\"title\":\"" title "\",\"body\":\"" body "\"},"
#define FCM_APNS(push, prio, headers, aps)                                   \
	",\"apns\":{\"headers\":{\"apns-push-type\":\"" push "\","           \
	"\"apns-priority\":\"" prio "\",\"apns-expiration\":\"1767337445\""  \
	headers "},\"payload\":{\"aps\":{" aps "}}}}}"
#define COLLAPSE(id) ",\"apns-collapse-id\":\"" id "\""

struct row {
	const char *event;
	enum provider provider;
	int64_t badge;
	const char *collapse_id, *body;
};

static const struct row rows[] = {
	{ MESSAGE, PROVIDER_FCM, 3, "m1",
	  FCM_HEAD FCM_TEXT("Anna", "Hi \\\"Ben\\\"")
	  "\"data\":{\"type\":\"new_message\",\"matchId\":\"m1\","
	  "\"senderId\":\"anna\",\"senderName\":\"Anna\","
	  "\"content\":\"Hi \\\"Ben\\\"\","
	  "\"messageId\":\"0123456789abcdef01234567\"},"
	  "\"android\":{\"priority\":\"HIGH\",\"ttl\":\"14400s\","
	  "\"collapse_key\":\"m1\",\"notification\":{\"sound\":\"default\","
	  "\"tag\":\"m1\",\"notification_count\":3}}"
	  FCM_APNS("alert", "10", COLLAPSE("m1"),
		   "\"badge\":3,\"sound\":\"default\",\"thread-id\":\"m1\"") },
	{ MESSAGE, PROVIDER_APNS, 3, "m1",
	  "{\"aps\":{\"alert\":{\"title\":\"Anna\",\"body\":\"Hi \\\"Ben\\\"\"},"
	  "\"badge\":3,\"sound\":\"default\",\"thread-id\":\"m1\"},"
	  "\"type\":\"new_message\",\"matchId\":\"m1\",\"senderId\":\"anna\","
	  "\"senderName\":\"Anna\",\"content\":\"Hi \\\"Ben\\\"\","
	  "\"messageId\":\"0123456789abcdef01234567\"}" },
	/* badge: 0 clears, -1 is not known, and there are bounds */
	{ HEAD "like\"" TAIL, PROVIDER_FCM, 0, "",
	  FCM_HEAD FCM_TEXT("News", "Look") "\"data\":{\"type\":\"like\"},"
	  "\"android\":{\"priority\":\"HIGH\",\"ttl\":\"14400s\","
	  "\"notification\":{\"sound\":\"default\"}}"
	  FCM_APNS("alert", "10", "", "\"badge\":0,\"sound\":\"default\"") },
	{ HEAD "like\",\"id\":7" TAIL, PROVIDER_APNS, 0, "7",
	  "{\"aps\":{\"alert\":{\"title\":\"News\",\"body\":\"Look\"},"
	  "\"badge\":0,\"sound\":\"default\"},\"type\":\"like\"}" },
	{ HEAD "like\"" TAIL, PROVIDER_APNS, -1, "",
	  "{\"aps\":{\"alert\":{\"title\":\"News\",\"body\":\"Look\"},"
	  "\"sound\":\"default\"},\"type\":\"like\"}" },
	{ HEAD "quiet\"" TAIL, PROVIDER_APNS, 1LL << 40, "",
	  "{\"aps\":{\"alert\":{\"title\":\"News\",\"body\":\"Look\"},"
	  "\"badge\":2147483647},\"type\":\"quiet\"}" },
	{ HEAD "quiet\"" TAIL, PROVIDER_FCM, -1, "",
	  FCM_HEAD FCM_TEXT("News", "Look") "\"data\":{\"type\":\"quiet\"},"
	  "\"android\":{\"priority\":\"HIGH\",\"ttl\":\"14400s\","
	  "\"notification\":{}}" FCM_APNS("alert", "10", "", "") },
	/* silent: what was read elsewhere */
	{ HEAD PUSH_TYPE_READ "\",\"data\":{\"matchId\":\"m1\",\"messageIds\":"
	  "[\"a\",\"b\"]}" TAIL, PROVIDER_FCM, 2, "read:m1",
	  FCM_HEAD "\"data\":{\"type\":\"message_read\",\"badge\":\"2\","
	  "\"matchId\":\"m1\",\"messageIds\":\"[\\\"a\\\",\\\"b\\\"]\"},"
	  "\"android\":{\"priority\":\"NORMAL\",\"ttl\":\"14400s\","
	  "\"collapse_key\":\"read:m1\"}"
	  FCM_APNS("background", "5", COLLAPSE("read:m1"),
		   "\"content-available\":1,\"badge\":2") },
	{ HEAD PUSH_TYPE_READ "\",\"data\":{\"matchId\":\"m1\",\"messageIds\":"
	  "[\"a\"]}" TAIL, PROVIDER_APNS, 0, "read:m1",
	  "{\"aps\":{\"content-available\":1,\"badge\":0},"
	  "\"type\":\"message_read\",\"badge\":\"0\",\"matchId\":\"m1\","
	  "\"messageIds\":\"[\\\"a\\\"]\"}" },
	{ HEAD PUSH_TYPE_READ "\",\"data\":{\"badge\":9}" TAIL, PROVIDER_APNS, -1,
	  "", "{\"aps\":{\"content-available\":1},\"type\":\"message_read\","
	  "\"badge\":\"9\"}" },
	/* what data may hold: everything, as text, but what is not allowed */
	{ HEAD "quiet\",\"data\":{\"n\":1.50,\"yes\":true,\"no\":false,\"x\":null,"
	  "\"o\":{\"a\":[1, {}]},\"type\":\"own\",\"aps\":\"x\",\"\":\"x\","
	  "\"from\":\"x\",\"message_type\":\"x\",\"google.c\":\"x\","
	  "\"gcm_x\":1,\"GoogleMaps\":1,\"fro\":\"\",\"z\\u00e4\":\"\\u0000\"}"
	  TAIL, PROVIDER_APNS, -1, "",
	  "{\"aps\":{\"alert\":{\"title\":\"News\",\"body\":\"Look\"}},"
	  "\"n\":\"1.5\",\"yes\":\"true\",\"no\":\"false\","
	  "\"o\":\"{\\\"a\\\":[1,{}]}\",\"type\":\"own\",\"fro\":\"\","
	  "\"z\xc3\xa4\":\"\\u0000\"}" },
	{ HEAD "quiet\",\"data\":{\"type\":7,\"from\":1}" TAIL, PROVIDER_FCM, -1, "",
	  FCM_HEAD FCM_TEXT("News", "Look") "\"data\":{\"type\":\"quiet\"},"
	  "\"android\":{\"priority\":\"HIGH\",\"ttl\":\"14400s\","
	  "\"notification\":{}}" FCM_APNS("alert", "10", "", "") },
	/* collapse ids are headers: hashed when they would be bad ones */
	{ HEAD "quiet\",\"data\":{\"matchId\":42}" TAIL, PROVIDER_APNS, -1, "42",
	  "{\"aps\":{\"alert\":{\"title\":\"News\",\"body\":\"Look\"},"
	  "\"thread-id\":\"42\"},\"type\":\"quiet\",\"matchId\":\"42\"}" },
	{ HEAD "quiet\",\"data\":{\"matchId\":\"a\\nb\"}" TAIL, PROVIDER_APNS, -1,
	  "509ff692fafb561b",
	  "{\"aps\":{\"alert\":{\"title\":\"News\",\"body\":\"Look\"},"
	  "\"thread-id\":\"509ff692fafb561b\"},\"type\":\"quiet\","
	  "\"matchId\":\"a\\nb\"}" },
	{ HEAD "quiet\",\"data\":{\"matchId\":\"\xc3\xa4\"}" TAIL, PROVIDER_APNS, -1,
	  "afc2bfbfcd945f1c",
	  "{\"aps\":{\"alert\":{\"title\":\"News\",\"body\":\"Look\"},"
	  "\"thread-id\":\"afc2bfbfcd945f1c\"},\"type\":\"quiet\","
	  "\"matchId\":\"\xc3\xa4\"}" },
	{ HEAD "quiet\",\"data\":{\"matchId\":\"\x7f\"}" TAIL, PROVIDER_APNS, -1,
	  "9fe4448b017e3043",
	  "{\"aps\":{\"alert\":{\"title\":\"News\",\"body\":\"Look\"},"
	  "\"thread-id\":\"9fe4448b017e3043\"},\"type\":\"quiet\","
	  "\"matchId\":\"\x7f\"}" },
	{ HEAD "quiet\",\"data\":{\"matchId\":\"\",\"messageId\":\"i\"}" TAIL,
	  PROVIDER_APNS, -1, "i",
	  "{\"aps\":{\"alert\":{\"title\":\"News\",\"body\":\"Look\"}},"
	  "\"type\":\"quiet\",\"matchId\":\"\",\"messageId\":\"i\"}" },
};

static struct templates *texts(void)
{
	static const char ini[] = "[default]\ntitle = News\nbody = Look\n"
				  "[quiet]\nsound =\n"
				  "[long]\ntitle = T\nbody = {text}\n";
	char err[TEMPLATES_ERR_MAX] = "", path[] = "/tmp/test_notification.XXXXXX";
	struct templates *t = NULL;
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	cr_assert_not_null(f);
	fputs(ini, f);
	fclose(f);
	cr_assert_eq(templates_load(path, &t, err), 0, "%s", err);
	remove(path);
	return t;
}

static void parse(const char *json, struct push_event *out)
{
	char why[128] = "";

	cr_assert_eq(push_event_parse(text(json), out, why), 0, "%s", why);
}

static struct device device_of(enum provider p)
{
	return (struct device){ .id = "d", .token = "to:k", .provider = p,
				.platform = "ios", .app = "",
				.environment = "", .locale = "" };
}

static void match(size_t len, enum provider p, const char *type,
		  struct notification *n, const struct templates *t)
{
	struct device d = device_of(p);
	struct push_event e = { .type = (char *)type };
	char id[200];

	memset(id, 'm', len);
	id[len] = '\0';
	e.data = json_pack("{s:s}", "matchId", id);
	cr_assert_eq(notification_make(&e, &d, t, 0, NOW_MS, n), 0);
	json_decref(e.data);
}

Test(notification, collapse_id_of_a_long_match)
{
	struct templates *t = texts();
	struct notification n = { 0 };

	for (enum provider p = 0; p < PROVIDER__COUNT; p++)
		for (size_t len = 1; len < 200; len++) {
			match(len, p, "like", &n, t);
			cr_expect_eq(strlen(n.collapse_id), len <= 64 ? len : 16);
			match(len, p, PUSH_TYPE_READ, &n, t);
			cr_expect_eq(strlen(n.collapse_id),
				     len <= 59 ? len + 5 : 21);
			cr_expect_eq(strncmp(n.collapse_id, "read:", 5), 0);
		}
	notification_free(&n);
	templates_free(&t);
}

Test(notification, exact)
{
	struct templates *t = texts();
	struct notification n = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct device d = device_of(rows[i].provider);
		struct push_event e;

		parse(rows[i].event, &e);
		cr_expect_eq(notification_make(&e, &d, t, rows[i].badge, NOW_MS,
					       &n), 0);
		cr_expect_str_eq(buf_str(&n.body), rows[i].body, "row %zu:\n%s",
				 i, n.body.p);
		cr_expect_str_eq(n.collapse_id, rows[i].collapse_id);
		cr_expect_eq(n.provider, rows[i].provider);
		cr_expect_eq(n.token, d.token);
		cr_expect_eq(n.device_id, d.id);
		cr_expect_eq(n.silent, strcmp(e.type, PUSH_TYPE_READ) == 0);
		cr_expect_eq(n.priority, n.silent ? 5 : 10);
		cr_expect_eq(n.expires_s, 1767337445);
		push_event_clear(&e);
	}
	notification_free(&n);
	templates_free(&t);
}
