#include "pushd/h2_url.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define SCHEME "https://"

static bool is_host(const char *p, size_t n, bool v6)
{
	if (n == 0 || n > H2_HOST_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (v6 ? !isxdigit((unsigned char)p[i]) && p[i] != ':' && p[i] != '.' :
			 !isalnum((unsigned char)p[i]) && strchr("-._", p[i]) == NULL)
			return false;
	}
	return true;
}

/* ":port" or nothing, then "/" or nothing. */
static bool read_port(const char *p, unsigned *port_out)
{
	unsigned port = 0;
	const char *digits;

	if (*p == ':') {
		for (digits = ++p; isdigit((unsigned char)*p) && p - digits < 5; p++)
			port = port * 10 + (unsigned)(*p - '0');
		if (port == 0 || port > 65535)
			return false;
		*port_out = port;
	}
	if (*p == '/')
		p++;
	return *p == '\0';
}

int h2_url_parse(const char *url, struct h2_url *out, char err[256])
{
	struct h2_url u = { .port = 443 };
	const char *host = url + strlen(SCHEME), *end;
	bool v6;

	if (strncmp(url, SCHEME, strlen(SCHEME)) != 0)
		goto bad;
	v6 = *host == '[';
	host += v6;
	end = host + strcspn(host, v6 ? "]" : ":/");
	if (!is_host(host, (size_t)(end - host), v6) || (v6 && *end != ']') ||
	    !read_port(end + v6, &u.port))
		goto bad;
	memcpy(u.host, host, (size_t)(end - host));
	snprintf(u.authority, sizeof(u.authority), v6 ? "[%s]" : "%s", u.host);
	if (u.port != 443)
		snprintf(u.authority + strlen(u.authority),
			 sizeof(u.authority) - strlen(u.authority), ":%u", u.port);
	*out = u;
	return 0;
bad:
	snprintf(err, 256, "\"%.200s\" is not https://host[:port]", url);
	return -EINVAL;
}
