#include "worker/transport/cors.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"

struct cors {
	bool any;		/* "*" */
	bool credentials;
	char *text;		/* what the origins point into */
	size_t n;		/* 0 and not any: off */
	struct slice origins[];
};

static bool on(const struct cors *c)
{
	return c->any || c->n > 0;
}

static bool equal_nocase(struct slice a, struct slice b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

static bool begins_nocase(struct slice s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && strncasecmp(s.p, with, n) == 0;
}

static bool ends(struct slice s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p + s.n - n, with, n) == 0;
}

/* Browsers leave the scheme's own port out (RFC 6454 6.2). */
static struct slice without_default_port(struct slice s)
{
	if (begins_nocase(s, "https://") && ends(s, ":443"))
		s.n -= 4;
	else if (begins_nocase(s, "http://") && ends(s, ":80"))
		s.n -= 3;
	return s;
}

struct cors *cors_new(const char *origins, bool credentials)
{
	static const char between[] = ", \t\r\n";
	size_t most = 1;
	struct cors *c;
	char *save = NULL;

	for (const char *p = origins; *p != '\0'; p++)
		most += *p == ',';
	c = mem_zalloc(sizeof(*c) + most * sizeof(c->origins[0]));
	c->credentials = credentials;
	c->text = mem_strdup(origins);
	for (char *s = strtok_r(c->text, between, &save);
	     s != NULL && c->n < most; s = strtok_r(NULL, between, &save)) {
		if (strcmp(s, "*") == 0)
			c->any = true;
		else
			c->origins[c->n++] = without_default_port(slice_of(s));
	}
	return c;
}

void cors_free(struct cors **c)
{
	if (*c == NULL)
		return;
	free((*c)->text);
	free(*c);
	*c = NULL;
}

/* The request's origin, when it may: p NULL otherwise. */
static struct slice listed(const struct cors *c, const struct http_head *h)
{
	size_t count;
	struct slice origin = http_head_field(h, "Origin", &count);

	for (size_t i = 0; count == 1 && i < c->n; i++)
		if (equal_nocase(origin, c->origins[i]))
			return origin;
	return (struct slice){ 0 };
}

static void add_slice(struct buf *out, const char *name, struct slice value)
{
	buf_adds(out, name);
	buf_add(out, value.p, value.n);
	buf_adds(out, "\r\n");
}

static void add_origin(const struct cors *c, const struct http_head *h,
		       struct buf *out)
{
	struct slice origin;

	if (c->any) {
		buf_adds(out, "Access-Control-Allow-Origin: *\r\n");
		return;
	}
	origin = listed(c, h);
	if (origin.p == NULL)
		return;
	add_slice(out, "Access-Control-Allow-Origin: ", origin);
	if (c->credentials)
		buf_adds(out, "Access-Control-Allow-Credentials: true\r\n");
}

void cors_fields(const struct cors *c, const struct http_head *h,
		 struct buf *out)
{
	if (!on(c))
		return;
	add_origin(c, h, out);
	/* Also when it is not listed: a cache must not give this answer to one
	 * that is. */
	if (!c->any)
		buf_adds(out, "Vary: Origin\r\n");
}

bool cors_preflight(const struct cors *c, const struct http_head *h,
		    struct buf *out)
{
	struct slice wanted = http_head_field(
		h, "Access-Control-Request-Headers", NULL);

	if (!on(c) || h->method.n != 7 || memcmp(h->method.p, "OPTIONS", 7) != 0)
		return false;
	add_origin(c, h, out);
	buf_adds(out, c->any ? "Vary: Access-Control-Request-Headers\r\n"
			     : "Vary: Origin, Access-Control-Request-Headers\r\n");
	buf_adds(out, "Access-Control-Allow-Methods: "
		      "GET,HEAD,PUT,PATCH,POST,DELETE\r\n");
	if (wanted.n > 0)
		add_slice(out, "Access-Control-Allow-Headers: ", wanted);
	return true;
}

/* The server's own, as the client calls it. A proxy in front knows the scheme,
 * we do not. */
static bool is_own(const struct http_head *h)
{
	size_t count;
	struct slice host = http_head_field(h, "Host", NULL);
	struct slice origin = http_head_field(h, "Origin", &count);
	bool tls = begins_nocase(origin, "https://");
	size_t scheme = strlen(tls ? "https://" : "http://");

	if (count != 1 || host.n == 0 ||
	    (!tls && !begins_nocase(origin, "http://")))
		return false;
	origin = without_default_port(origin);
	origin.p += scheme;
	origin.n -= scheme;
	if (ends(host, tls ? ":443" : ":80"))
		host.n -= strlen(tls ? ":443" : ":80");
	return equal_nocase(origin, host);
}

bool cors_websocket_ok(const struct cors *c, const struct http_head *h)
{
	if (!on(c) || c->any || http_head_field(h, "Origin", NULL).p == NULL)
		return true;
	return listed(c, h).p != NULL || is_own(h);
}
