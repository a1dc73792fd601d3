#include <criterion/criterion.h>

#include <string.h>

#include "worker/transport/cors.h"

#define A "https://a.example"
#define B "http://b.example:8080"
#define ACAO "Access-Control-Allow-Origin: "
#define ACAC "Access-Control-Allow-Credentials: true\r\n"
#define VARY "Vary: Origin\r\n"

static void read_head(struct buf *text, const char *method, const char *fields,
		      struct http_head *h)
{
	buf_printf(text, "%s /socket.io/ HTTP/1.1\r\nHost: x\r\n%s\r\n", method,
		   fields);
	cr_assert_gt(http_head_parse(text->p, text->len, h), 0);
}

static const struct {
	const char *origins;
	bool credentials;
	const char *fields;
	const char *out;
	bool websocket;
} rows[] = {
	{ "", true, "Origin: " A "\r\n", "", true },
	{ "", true, "", "", true },
	{ " ", true, "Origin: " A "\r\n", "", true },
	{ "*", true, "Origin: " A "\r\n", ACAO "*\r\n", true },
	{ "*", false, "", ACAO "*\r\n", true },
	{ A, true, "Origin: " A "\r\n", ACAO A "\r\n" ACAC VARY, true },
	{ A, false, "Origin: " A "\r\n", ACAO A "\r\n" VARY, true },
	{ A, true, "", VARY, true },
	{ A, true, "Origin: https://evil.example\r\n", VARY, false },
	{ A, true, "Origin: null\r\n", VARY, false },
	{ A, true, "Origin:\r\n", VARY, false },
	{ A, true, "Origin: " A ".evil\r\n", VARY, false },
	{ A, true, "Origin: https://a.exampl\r\n", VARY, false },
	{ A, true, "Origin: http://a.example\r\n", VARY, false },
	{ A, true, "Origin: " A ":444\r\n", VARY, false },
	{ A, true, "Origin: " A "\r\nOrigin: " A "\r\n", VARY, false },
	{ A, true, "Origin: HTTPS://A.Example\r\n",
	  ACAO "HTTPS://A.Example\r\n" ACAC VARY, true },
	{ "HTTPS://A.Example", true, "Origin: " A "\r\n",
	  ACAO A "\r\n" ACAC VARY, true },
	{ A ":443", true, "Origin: " A "\r\n", ACAO A "\r\n" ACAC VARY, true },
	{ "http://a.example:80", true, "Origin: http://a.example\r\n",
	  ACAO "http://a.example\r\n" ACAC VARY, true },
	{ A ":80", true, "Origin: " A "\r\n", VARY, false },
	{ A "," B, true, "Origin: " B "\r\n", ACAO B "\r\n" ACAC VARY, true },
	{ A " ,  " B, true, "Origin: " A "\r\n", ACAO A "\r\n" ACAC VARY, true },
	{ A "," B, true, "Origin: " A "," B "\r\n", VARY, false },
};

Test(cors, fields)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cors *c = cors_new(rows[i].origins, rows[i].credentials);
		struct buf text = { 0 }, out = { 0 };
		struct http_head h;

		read_head(&text, "GET", rows[i].fields, &h);
		cr_expect(!cors_preflight(c, &h, &out));
		cors_fields(c, &h, &out);
		cr_expect_str_eq(buf_str(&out), rows[i].out, "%s / %s: %s",
				 rows[i].origins, rows[i].fields, buf_str(&out));
		cr_expect_eq(cors_websocket_ok(c, &h), rows[i].websocket,
			     "%s / %s", rows[i].origins, rows[i].fields);
		buf_free(&text);
		buf_free(&out);
		cors_free(&c);
		cr_assert_null(c);
	}
}

/* React Native's WebSocket says that it comes from the server it goes to. */
static const struct {
	const char *host;
	const char *origin;
	bool ok;
} own[] = {
	{ "chat.example", "https://chat.example", true },
	{ "chat.example", "http://chat.example", true },
	{ "Chat.example", "HTTPS://chat.Example", true },
	{ "chat.example:3001", "http://chat.example:3001", true },
	{ "[::1]:3001", "http://[::1]:3001", true },
	{ "chat.example", "https://chat.example:443", true },
	{ "chat.example:443", "https://chat.example", true },
	{ "chat.example:80", "http://chat.example:80", true },
	{ "chat.example:80", "https://chat.example", false },
	{ "chat.example", "https://chat.example:80", false },
	{ "chat.example", "http://chat.example:3001", false },
	{ "chat.example:3001", "http://chat.example", false },
	{ "chat.example", "https://chat.example.evil", false },
	{ "chat.example", "https://evil.chat.example", false },
	{ "chat.example", "file://chat.example", false },
	{ "chat.example", "chat.example", false },
	{ "h", "h", false },
	{ "", "https://", false },
	{ "", "null", false },
	{ "", "", false },
};

Test(cors, the_servers_own_origin_may_open_a_websocket)
{
	struct cors *c = cors_new(A, true);

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		struct buf text = { 0 }, out = { 0 };
		struct http_head h;

		buf_printf(&text, "GET / HTTP/1.1\r\nHost: %s\r\nOrigin: %s"
			   "\r\n\r\n", own[i].host, own[i].origin);
		cr_assert_gt(http_head_parse(text.p, text.len, &h), 0);
		cr_expect_eq(cors_websocket_ok(c, &h), own[i].ok, "%s / %s",
			     own[i].host, own[i].origin);
		/* to ourselves nobody comes across */
		cors_fields(c, &h, &out);
		cr_expect_str_eq(buf_str(&out), VARY);
		buf_free(&text);
		buf_free(&out);
	}
	cors_free(&c);
}

#define METHODS "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n"
#define WANTED "Access-Control-Request-Method: POST\r\n" \
	       "Access-Control-Request-Headers: content-type,x-a\r\n"

static const struct {
	const char *origins;
	const char *method;
	const char *fields;
	const char *out;	/* NULL: no preflight */
} preflights[] = {
	{ "", "OPTIONS", "Origin: " A "\r\n" WANTED, NULL },
	{ "*", "GET", "Origin: " A "\r\n" WANTED, NULL },
	{ "*", "options", "Origin: " A "\r\n" WANTED, NULL },
	{ "*", "OPTIONS", "Origin: " A "\r\n" WANTED,
	  ACAO "*\r\nVary: Access-Control-Request-Headers\r\n" METHODS
	  "Access-Control-Allow-Headers: content-type,x-a\r\n" },
	{ A, "OPTIONS", "Origin: " A "\r\n" WANTED,
	  ACAO A "\r\n" ACAC "Vary: Origin, Access-Control-Request-Headers\r\n"
	  METHODS "Access-Control-Allow-Headers: content-type,x-a\r\n" },
	{ A, "OPTIONS", "Origin: " A "\r\n",
	  ACAO A "\r\n" ACAC "Vary: Origin, Access-Control-Request-Headers\r\n"
	  METHODS },
	{ A, "OPTIONS", "Origin: " B "\r\n",
	  "Vary: Origin, Access-Control-Request-Headers\r\n" METHODS },
};

Test(cors, preflight)
{
	for (size_t i = 0; i < ARRAY_SIZE(preflights); i++) {
		struct cors *c = cors_new(preflights[i].origins, true);
		const char *want = preflights[i].out;
		struct buf text = { 0 }, out = { 0 };
		struct http_head h;

		read_head(&text, preflights[i].method, preflights[i].fields, &h);
		cr_expect_eq(cors_preflight(c, &h, &out), want != NULL);
		cr_expect_str_eq(buf_str(&out), want != NULL ? want : "",
				 "%s", buf_str(&out));
		buf_free(&text);
		buf_free(&out);
		cors_free(&c);
	}
}
