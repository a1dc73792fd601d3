/* The DATABASE_URL of a Node.js app, made fit for libpq. Prisma and its like
 * put parameters of their own behind the '?', which libpq refuses: `schema`
 * becomes the search path, those of their connection pool are dropped.
 * pairwire-migrate does the same. */
#include "common/conf/conf_keys.h"

#include <string.h>

#include "common/base/buf.h"

static const char *const theirs[] = {
	"connection_limit", "pool_timeout", "pgbouncer", "socket_timeout",
	"statement_cache_size", "sslaccept", "sslidentity",
};

static bool is(struct slice key, const char *name)
{
	return key.n == strlen(name) && memcmp(key.p, name, key.n) == 0;
}

static bool is_theirs(struct slice key)
{
	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++)
		if (is(key, theirs[i]))
			return true;
	return false;
}

/* Percent-encoded as it stands in the URL, so that it can be copied. */
static void add(struct buf *b, char *sep, const char *key, struct slice value)
{
	buf_addc(b, *sep);
	*sep = '&';
	buf_adds(b, key);
	buf_add(b, value.p, value.n);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void decode(struct slice text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		int hi = -1, lo = -1;

		if (text.p[i] == '%' && i + 2 < text.n) {
			hi = hex(text.p[i + 1]);
			lo = hex(text.p[i + 2]);
		}
		if (hi != -1 && lo != -1) {
			buf_addc(out, (char)(hi * 16 + lo));
			i += 2;
		} else {
			buf_addc(out, text.p[i]);
		}
	}
}

static void add_encoded(struct buf *b, char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '_')
		buf_addc(b, c);
	else
		buf_printf(b, "%%%02X", (unsigned char)c);
}

/* PostgreSQL folds a bare name to lower case, so it is quoted, a quote within
 * doubled. Space and backslash have a meaning in `options`. */
static void add_search_path(struct buf *b, const struct buf *name)
{
	buf_adds(b, "-csearch_path%3D%22");
	for (size_t i = 0; i < name->len; i++) {
		char c = name->p[i];

		if (c == '"')
			add_encoded(b, c);
		else if (c == '\\' || c == ' ' || (c >= '\t' && c <= '\r'))
			add_encoded(b, '\\');
		add_encoded(b, c);
	}
	buf_adds(b, "%22");
}

/* The default needs no words. Poolers like PgBouncer may refuse `options`. */
static bool is_default(const struct buf *schema)
{
	return schema->len == 0 ||
	       is((struct slice){ schema->p, schema->len }, "public");
}

char *conf_pg_url(const char *url)
{
	size_t base = strcspn(url, "?");
	struct slice schema = { NULL, 0 }, options = { NULL, 0 };
	struct buf b = { 0 }, name = { 0 };
	char sep = '?';
	const char *p;

	buf_add(&b, url, base);
	p = url[base] == '?' ? url + base + 1 : "";
	while (*p != '\0') {
		size_t n = strcspn(p, "&");
		size_t k = strcspn(p, "=&");
		struct slice key = { p, k };
		struct slice value = { p + k + 1, n > k ? n - k - 1 : 0 };

		if (is(key, "schema"))
			schema = value;
		else if (is(key, "options"))
			options = value;
		else if (n > 0 && !is_theirs(key))
			add(&b, &sep, "", (struct slice){ p, n });
		p += n + (p[n] == '&');
	}
	decode(schema, &name);
	if (!is_default(&name)) {
		add(&b, &sep, "options=", (struct slice){ "", 0 });
		add_search_path(&b, &name);
		if (options.n > 0) {
			buf_adds(&b, "%20");
			buf_add(&b, options.p, options.n);
		}
	} else if (options.p != NULL) {
		add(&b, &sep, "options=", options);
	}
	buf_free(&name);
	buf_str(&b);
	return b.p;
}
