/* The pure parts of the HTTP/2 client: its URL, and what is kept of an answer. */
#include <criterion/criterion.h>
#include <errno.h>

#include "pushd/h2_call.h"
#include "pushd/h2_url.h"

#define N63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
#define N252 N63 N63 N63 N63

Test(h2_url, good)
{
	static const struct {
		const char *url, *host, *authority;
		unsigned port;
	} rows[] = {
		{ "https://fcm.googleapis.com", "fcm.googleapis.com", "fcm.googleapis.com", 443 },
		{ "https://api.push.apple.com/", "api.push.apple.com", "api.push.apple.com", 443 },
		{ "https://api.push.apple.com:2197", "api.push.apple.com",
		  "api.push.apple.com:2197", 2197 },
		{ "https://x:443/", "x", "x", 443 },
		{ "https://x:65535", "x", "x:65535", 65535 },
		{ "https://127.0.0.1:8443", "127.0.0.1", "127.0.0.1:8443", 8443 },
		{ "https://[::1]:8443", "::1", "[::1]:8443", 8443 },
		{ "https://[2001:db8::1]", "2001:db8::1", "[2001:db8::1]", 443 },
		{ "https://" N252 "a:65535", N252 "a", N252 "a:65535", 65535 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct h2_url u;
		char err[256];

		cr_assert_eq(h2_url_parse(rows[i].url, &u, err), 0, "%s", rows[i].url);
		cr_expect_str_eq(u.host, rows[i].host);
		cr_expect_str_eq(u.authority, rows[i].authority);
		cr_expect_eq(u.port, rows[i].port, "%s", rows[i].url);
	}
}

Test(h2_url, bad)
{
	static const char *const rows[] = {
		"", "https", "https://", "http://x", "HTTPS://x", "x", "https:///",
		"https://x/path", "https://x//", "https://x?y", "https://x:", "https://x:/",
		"https://x:0", "https://x:65536", "https://x:123456", "https://x:1a",
		"https://u:p@x", "https://[::1", "https://::1", "https://[]", "https://[x]",
		"https://[::1]x", "https://a b", "https://" N252 "aa",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct h2_url u = { .port = 7 };
		char err[256] = "";

		cr_expect_eq(h2_url_parse(rows[i], &u, err), -EINVAL, "%s", rows[i]);
		cr_expect_neq(err[0], '\0');
		cr_expect_eq(u.port, 7, "%s: output touched", rows[i]);
	}
}

static bool has(const struct h2_call *call, size_t i, const char *name, const char *value,
		uint8_t flags)
{
	const nghttp2_nv *nv = &call->nv[i];

	return nv->namelen == strlen(name) && memcmp(nv->name, name, nv->namelen) == 0 &&
	       nv->valuelen == strlen(value) &&
	       memcmp(nv->value, value, nv->valuelen) == 0 && nv->flags == flags;
}

static struct h2_response told;
static int told_err;
static char told_id[64];

static void on_answer(void *arg, int err, const struct h2_response *r)
{
	(void)arg;
	told_err = err;
	if (r != NULL) {
		told = *r;
		memcpy(told_id, r->apns_id.p, r->apns_id.n);
	}
}

static struct h2_call *call_new(struct slice body)
{
	const struct h2_header headers[] = {
		{ "authorization", "bearer t", false },
		{ "apns-id", "1", true },
	};
	struct h2_call *call = h2_call_new(&(struct h2_request){
		.method = "POST", .path = "/3/device/x", .headers = headers,
		.nheaders = 2, .body = body }, "a.example:8443");

	call->cb = on_answer;
	return call;
}

/* Of one request only, so not for the table: path, length, what says so. */
Test(h2_call, request)
{
	struct h2_call *call = call_new(SLICE("{}"));

	cr_assert_eq(call->nnv, 7);
	cr_expect(has(call, 0, ":method", "POST", 0));
	cr_expect(has(call, 1, ":scheme", "https", 0));
	cr_expect(has(call, 2, ":authority", "a.example:8443", 0));
	cr_expect(has(call, 3, ":path", "/3/device/x", NGHTTP2_NV_FLAG_NO_INDEX));
	cr_expect(has(call, 4, "authorization", "bearer t", 0));
	cr_expect(has(call, 5, "apns-id", "1", NGHTTP2_NV_FLAG_NO_INDEX));
	cr_expect(has(call, 6, "content-length", "2", NGHTTP2_NV_FLAG_NO_INDEX));
	cr_expect_eq(memcmp(call->body.p, "{}", 2), 0);
	h2_call_tell(call);

	call = call_new((struct slice){ NULL, 0 });
	cr_expect_eq(call->nnv, 6);
	h2_call_tell(call);
}

Test(h2_call, status)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{ "200", 200 }, { "429", 429 }, { "999", 999 }, { "", 0 }, { "20", 0 },
		{ "2000", 0 }, { "2 0", 0 }, { "-20", 0 }, { "20x", 0 },
	};
	struct h2_call *call = call_new(SLICE("{}"));

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		call->status = -1;
		h2_call_header(call, SLICE(":status"), slice_of(rows[i].text));
		cr_expect_eq(call->status, rows[i].status, "\"%s\"", rows[i].text);
	}
	h2_call_tell(call);
}

Test(h2_call, answer)
{
	static char much[H2_ANSWER_MAX];
	struct h2_call *call = call_new(SLICE("{}"));

	h2_call_header(call, SLICE(":status"), SLICE("503"));
	h2_call_header(call, SLICE("retry-after"), SLICE("Wed, 21 Oct 2026 07:28:00 GMT"));
	h2_call_header(call, SLICE("apns-id"), SLICE("123e4567-e89b-12d3-a456-4266554400a0"));
	h2_call_header(call, SLICE("apns-idx"), SLICE("no"));
	cr_expect(h2_call_data(call, much, sizeof(much)));
	cr_expect(!h2_call_data(call, much, 1));
	cr_expect(h2_call_data(call, much, 0));
	h2_call_tell(call);
	cr_expect_eq(told_err, 0);
	cr_expect_eq(told.status, 503);
	cr_expect_eq(told.body.n, H2_ANSWER_MAX);
	cr_expect_eq(told.retry_after.n, 29);
	cr_expect_str_eq(told_id, "123e4567-e89b-12d3-a456-4266554400a0");
}

/* Left out, not cut: a date that is cut is another one. */
Test(h2_call, header_too_long)
{
	struct h2_call *call = call_new(SLICE("{}"));

	h2_call_header(call, SLICE("retry-after"),
		       SLICE("1234567890123456789012345678901234567890"));
	h2_call_header(call, SLICE("apns-id"),
		       SLICE("123456789012345678901234567890123456789"));
	cr_expect_str_eq(call->retry_after, "");
	cr_expect_eq(strlen(call->apns_id), 39);
	h2_call_tell(call);
}

Test(h2_call, rewound)
{
	struct h2_call *call = call_new(SLICE("{}"));

	h2_call_header(call, SLICE(":status"), SLICE("503"));
	h2_call_header(call, SLICE("retry-after"), SLICE("1"));
	cr_expect(h2_call_data(call, "x", 1));
	call->body_sent = 2;
	call->packed = true;
	h2_call_rewind(call);
	cr_expect_eq(call->status, 0);
	cr_expect_eq(call->answer.len, 0);
	cr_expect_eq(call->body_sent, 0);
	cr_expect(!call->packed);
	cr_expect_str_eq(call->retry_after, "");
	h2_call_tell(call);
}
