/* The DATABASE_URL of a Node.js app, made fit for libpq. Prisma and its like
 * put parameters of their own behind the '?', which libpq refuses: `schema`
 * becomes the search path, those of their connection pool are dropped. */
#include "common/conf/conf_keys.h"

#include <string.h>

#include "common/base/buf.h"

static const char *const theirs[] = {
	"connection_limit", "pool_timeout", "pgbouncer", "socket_timeout",
	"statement_cache_size", "sslaccept", "sslidentity", "sslpassword",
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

char *conf_pg_url(const char *url)
{
	size_t base = strcspn(url, "?");
	struct slice schema = { NULL, 0 }, options = { NULL, 0 };
	struct buf b = { 0 };
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
	if (schema.n > 0) {
		add(&b, &sep, "options=-csearch_path%3D", schema);
		if (options.n > 0) {
			buf_adds(&b, "%20");
			buf_add(&b, options.p, options.n);
		}
	} else if (options.p != NULL) {
		add(&b, &sep, "options=", options);
	}
	buf_str(&b);
	return b.p;
}
