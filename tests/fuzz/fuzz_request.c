/* What becomes of a request: the verdict, its answer's head with the fields of
 * CORS, whom it comes from. However a client writes its request, nothing of it
 * breaks out of the line in which it is repeated. */
#include "worker/transport/request.h"

#include "tests/fuzz/fuzz.h"
#include "worker/transport/client_addr.h"
#include "worker/transport/cors.h"

static enum sid_state find(void *arg, struct slice sid, uint32_t *owner_out)
{
	(void)arg;
	CHECK(sid.n > 0);
	*owner_out = 7;
	return (enum sid_state)((unsigned char)sid.p[0] % (SID_UNREACHABLE + 1));
}

static bool inside(struct slice s, const char *in, long len)
{
	return s.n == 0 || (s.p >= in && s.p + s.n <= in + len);
}

/* A head's lines are read as a request's, for these are read strictly. */
static void check_answer(const struct response *r, struct slice fields)
{
	static const char line[] = "GET / HTTP/1.1\r\nHost: a\r\n";
	struct buf out = { 0 }, head = { 0 };
	struct http_head h;
	const char *end;

	CHECK(r->status >= 200 && r->status < 600);
	response_head(&out, r, RESPONSE_CLOSE, fields);
	end = memchr(out.p, '\n', out.len);
	CHECK(end != NULL && end[-1] == '\r');
	buf_adds(&head, line);
	buf_add(&head, end + 1, out.len - (size_t)(end + 1 - out.p));
	if (head.len <= HTTP_HEAD_MAX)
		CHECK(http_head_parse(head.p, head.len, &h) == (long)head.len);
	buf_free(&out);
	buf_free(&head);
}

static void check_verdict(const struct http_head *h, const char *in, long len)
{
	static const struct request_env env = { .path = "/socket.io/", .find = find };
	struct request_verdict v = request_judge(h, &env);

	CHECK(inside(v.sid, in, len) && inside(v.key, in, len));
	switch (v.action) {
	case REQUEST_ANSWER:
		check_answer(&v.answer, (struct slice){ 0 });
		break;
	case REQUEST_MISUSE:
		check_answer(&v.answer, (struct slice){ 0 });
		CHECK(v.sid.n > 0);
		break;
	case REQUEST_WEBSOCKET:
		CHECK(v.key.n == 24 && !request_has_body(h));
		break;
	case REQUEST_POLL:
	case REQUEST_LAST:
		CHECK(v.sid.n > 0 && !request_has_body(h));
		break;
	case REQUEST_POST:
		CHECK(v.sid.n > 0);
		break;
	case REQUEST_OPEN:
		CHECK(!request_has_body(h));
		break;
	case REQUEST_ELSEWHERE:
		CHECK(v.owner == 7);
		break;
	}
}

static void check_cors(const struct http_head *h, const char *origins)
{
	struct cors *c = cors_new(origins, true);
	struct response r = { .status = 200 };
	struct buf fields = { 0 };

	cors_fields(c, h, &fields);
	check_answer(&r, buf_slice(&fields));
	buf_clear(&fields);
	if (cors_preflight(c, h, &fields)) {
		r.status = 204;
		check_answer(&r, buf_slice(&fields));
	} else {
		CHECK(fields.len == 0);
	}
	(void)cors_websocket_ok(c, h);
	buf_free(&fields);
	cors_free(&c);
}

static void check_client(const struct http_head *h)
{
	struct slice bad;
	struct net_list *trusted = net_list_new("10.0.0.0/8, ::1", &bad);
	struct net_addr near, far, a;

	CHECK(trusted != NULL);
	CHECK(net_addr_parse(SLICE("10.1.2.3"), &near) == 0);
	CHECK(net_addr_parse(SLICE("192.0.2.1"), &far) == 0);
	a = client_addr(h, &far, trusted);
	CHECK(net_addr_equal(&a, &far));	/* it is not asked */
	a = client_addr(h, &near, trusted);
	CHECK(!net_list_has(trusted, &a));
	net_list_free(&trusted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *in = (const char *)data;
	struct http_head h;
	long len = http_head_parse(in, n, &h);

	if (len < 0) {
		struct response r = request_unreadable(len);

		check_answer(&r, (struct slice){ 0 });
	}
	if (len <= 0)
		return 0;
	check_verdict(&h, in, len);
	check_cors(&h, "*");
	check_cors(&h, "https://a.example, http://b:8080");
	check_client(&h);
	return 0;
}
