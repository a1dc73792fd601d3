#include "common/queue/redis_url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/queue/url_parts.h"

#define DB_MAX 1000000	/* the server knows better */

static int fail(char err[256], const char *why)
{
	snprintf(err, 256, "%s", why);
	return -EINVAL;
}

static bool is(struct slice s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static int parse_userinfo(struct slice info, struct redis_url *u, char err[256])
{
	struct slice user = url_split(&info, ':');

	if (info.p == NULL)
		return fail(err, "the part before '@' needs a ':' (\":password@host\")");
	if (user.n > 0 && !is(user, "default"))
		return fail(err, "user names other than \"default\" are not supported");
	if (url_decode(info, u->password, sizeof(u->password)) != 0)
		return fail(err, "bad password (percent-escape special characters)");
	return 0;
}

static int parse_address(struct slice in, struct redis_url *u, char err[256])
{
	struct slice host, port;

	if (url_host_port(in, &host, &port) != 0)
		return fail(err, "'[' without ']', or more than a port behind it");
	if (host.n == 0 || url_decode(host, u->host, sizeof(u->host)) != 0 ||
	    u->host[0] == '/')
		return fail(err, "bad or missing host name");
	u->port = 6379;
	if (port.p != NULL && (url_number(port, 65535, &u->port) != 0 || u->port == 0))
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
	in = url_split(&db, '/');
	if (db.n > 0 && url_number(db, DB_MAX, &u->db) != 0)
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
	path = url_split(&query, '?');
	if (path.n == 0 || path.p[0] != '/' ||
	    url_decode(path, u->host, sizeof(u->host)) != 0)
		return fail(err, "redis+unix:// needs an absolute path");
	while (query.n > 0) {
		struct slice value = url_split(&query, '&');
		struct slice key = url_split(&value, '=');

		if (is(key, "db")) {
			if (url_number(value, DB_MAX, &u->db) != 0)
				return fail(err, "bad database number");
		} else if (is(key, "password")) {
			if (url_decode(value, u->password, sizeof(u->password)) != 0)
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
