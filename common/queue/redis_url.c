#include "common/queue/redis_url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DB_MAX 1000000	/* the server knows better */

static int fail(char err[256], const char *why)
{
	snprintf(err, 256, "%s", why);
	return -EINVAL;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* 0, or -EINVAL: bad escape, NUL byte, or no room. */
static int decode(struct slice in, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (c == '%') {
			int hi = i + 1 < in.n ? hex(in.p[i + 1]) : -1;
			int lo = i + 2 < in.n ? hex(in.p[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return -EINVAL;
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		if (c == '\0' || n + 1 >= size)
			return -EINVAL;
		out[n++] = c;
	}
	out[n] = '\0';
	return 0;
}

static int number(struct slice in, unsigned max, unsigned *out)
{
	unsigned v = 0;

	if (in.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] < '0' || in.p[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(in.p[i] - '0');
		if (v > max)
			return -EINVAL;
	}
	*out = v;
	return 0;
}

/* Splits in at the first c: the part before is returned, in becomes
 * the part behind. Without c: all, and in is empty with p NULL. */
static struct slice split(struct slice *in, char c)
{
	const char *at = in->n > 0 ? memchr(in->p, c, in->n) : NULL;
	struct slice head = *in;

	if (at == NULL) {
		*in = (struct slice){ NULL, 0 };
		return head;
	}
	head.n = (size_t)(at - in->p);
	*in = (struct slice){ at + 1, in->n - head.n - 1 };
	return head;
}

static bool is(struct slice s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static int parse_userinfo(struct slice info, struct redis_url *u, char err[256])
{
	struct slice user = split(&info, ':');

	if (info.p == NULL)
		return fail(err, "the part before '@' needs a ':' (\":password@host\")");
	if (user.n > 0 && !is(user, "default"))
		return fail(err, "user names other than \"default\" are not supported");
	if (decode(info, u->password, sizeof(u->password)) != 0)
		return fail(err, "bad password (percent-escape special characters)");
	return 0;
}

static int parse_address(struct slice in, struct redis_url *u, char err[256])
{
	struct slice host = in;
	struct slice port = { 0 };

	if (in.n > 0 && in.p[0] == '[') {
		const char *end = memchr(in.p, ']', in.n);

		if (end == NULL)
			return fail(err, "'[' without ']'");
		host = (struct slice){ in.p + 1, (size_t)(end - in.p) - 1 };
		port = (struct slice){ end + 1, in.n - host.n - 2 };
		if (port.n > 0 && port.p[0] != ':')
			return fail(err, "only a port may follow ']'");
		(void)split(&port, ':');
	} else {
		port = in;
		host = split(&port, ':');
	}
	if (host.n == 0 || decode(host, u->host, sizeof(u->host)) != 0 ||
	    u->host[0] == '/')
		return fail(err, "bad or missing host name");
	u->port = 6379;
	if (port.p != NULL && (number(port, 65535, &u->port) != 0 || u->port == 0))
		return fail(err, "bad port");
	return 0;
}

static int parse_tcp(struct slice in, struct redis_url *u, char err[256])
{
	struct slice db;
	size_t at = in.n;	/* behind the last '@' */
	int rc;

	if (in.n > 0 && memchr(in.p, '?', in.n) != NULL)
		return fail(err, "redis:// takes no '?' (percent-escape it in a password)");
	/* an unescaped '@' or '/' in a password is common: look from behind */
	while (at > 0 && in.p[at - 1] != '@')
		at--;
	if (at > 0) {
		struct slice info = { in.p, at - 1 };

		rc = parse_userinfo(info, u, err);
		if (rc != 0)
			return rc;
		in = (struct slice){ in.p + at, in.n - at };
	}
	db = in;
	in = split(&db, '/');
	if (db.n > 0 && number(db, DB_MAX, &u->db) != 0)
		return fail(err, "bad database number");
	return parse_address(in, u, err);
}

static int parse_unix(struct slice in, struct redis_url *u, char err[256])
{
	struct slice query, path;
	size_t at = 1;
	int rc;

	if (in.n > 0 && in.p[0] != '/') {	/* up to the '@' before the path */
		while (at < in.n && (in.p[at] != '/' || in.p[at - 1] != '@'))
			at++;
		if (at >= in.n)
			return fail(err, "redis+unix:// needs an absolute path");
		rc = parse_userinfo((struct slice){ in.p, at - 1 }, u, err);
		if (rc != 0)
			return rc;
		in = (struct slice){ in.p + at, in.n - at };
	}
	query = in;
	path = split(&query, '?');
	if (path.n == 0 || path.p[0] != '/' ||
	    decode(path, u->host, sizeof(u->host)) != 0)
		return fail(err, "redis+unix:// needs an absolute path");
	while (query.n > 0) {
		struct slice value = split(&query, '&');
		struct slice key = split(&value, '=');

		if (is(key, "db")) {
			if (number(value, DB_MAX, &u->db) != 0)
				return fail(err, "bad database number");
		} else if (is(key, "password")) {
			if (decode(value, u->password, sizeof(u->password)) != 0)
				return fail(err, "bad password");
		} else {
			return fail(err, "only db= and password= may follow '?'");
		}
	}
	return 0;
}

int redis_url_parse(const char *url, struct redis_url *out, char err[256])
{
	static const char tcp[] = "redis://";
	static const char local[] = "redis+unix://";
	struct redis_url u = { 0 };
	struct slice rest;
	int rc;

	if (strncmp(url, tcp, sizeof(tcp) - 1) == 0) {
		rest.p = url + sizeof(tcp) - 1;
		rest.n = strlen(rest.p);
		rc = parse_tcp(rest, &u, err);
	} else if (strncmp(url, local, sizeof(local) - 1) == 0) {
		rest.p = url + sizeof(local) - 1;
		rest.n = strlen(rest.p);
		rc = parse_unix(rest, &u, err);
	} else {
		rc = fail(err, "the URL must begin with redis:// or redis+unix://");
	}
	if (rc == 0)
		*out = u;
	return rc;
}
