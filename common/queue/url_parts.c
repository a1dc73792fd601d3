#include "common/queue/url_parts.h"

#include <errno.h>
#include <string.h>

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

int url_decode(struct slice in, char *out, size_t size)
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

int url_number(struct slice in, unsigned max, unsigned *out)
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

struct slice url_split(struct slice *in, char c)
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

int url_host_port(struct slice in, struct slice *host, struct slice *port)
{
	const char *end;

	if (in.n == 0 || in.p[0] != '[') {
		*port = in;
		*host = url_split(port, ':');
		return 0;
	}
	end = memchr(in.p, ']', in.n);
	if (end == NULL)
		return -EINVAL;
	*host = (struct slice){ in.p + 1, (size_t)(end - in.p) - 1 };
	*port = (struct slice){ end + 1, in.n - host->n - 2 };
	if (port->n > 0 && port->p[0] != ':')
		return -EINVAL;
	(void)url_split(port, ':');
	return 0;
}
