#include "common/base/net_addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/mem.h"

#define MAPPED_BITS 96	/* of an IPv4 address in an IPv6 one */

static const uint8_t mapped[MAPPED_BITS / 8] = { [10] = 0xff, [11] = 0xff };

static bool is_ipv4(const struct net_addr *a)
{
	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

bool net_addr_known(const struct net_addr *a)
{
	static const struct net_addr none;

	return !net_addr_equal(a, &none);
}

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static int parse_family(int family, struct slice s, struct net_addr *out)
{
	char text[NET_ADDR_TEXT];
	struct net_addr a = { { 0 } };
	void *to = a.b;

	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL)
		return -EINVAL;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (family == AF_INET) {
		memcpy(a.b, mapped, sizeof(mapped));
		to = a.b + sizeof(mapped);
	}
	if (inet_pton(family, text, to) != 1)
		return -EINVAL;
	*out = a;
	return 0;
}

/* Decimal, at most max, without leading zeros. */
static int parse_number(struct slice s, unsigned max, unsigned *out)
{
	unsigned v = 0;

	if (s.n == 0 || s.n > 5 || (s.n > 1 && s.p[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	if (v > max)
		return -EINVAL;
	*out = v;
	return 0;
}

static struct slice from(struct slice s, const char *at)
{
	return (struct slice){ at, s.n - (size_t)(at - s.p) };
}

static struct slice until(struct slice s, const char *at)
{
	return (struct slice){ s.p, (size_t)(at - s.p) };
}

/* rest: "" or ":port". */
static bool port_ok(struct slice rest)
{
	unsigned port;

	return rest.n == 0 ||
	       (rest.p[0] == ':' &&
		parse_number(from(rest, rest.p + 1), 65535, &port) == 0);
}

int net_addr_parse(struct slice s, struct net_addr *out)
{
	const char *colon = s.n > 0 ? memchr(s.p, ':', s.n) : NULL;
	struct slice host = s, rest = { s.p, 0 };
	int family = AF_INET;
	struct net_addr a;

	if (s.n > 0 && s.p[0] == '[') {
		const char *close = memchr(s.p, ']', s.n);

		if (close == NULL)
			return -EINVAL;
		host = from(until(s, close), s.p + 1);
		rest = from(s, close + 1);
		family = AF_INET6;
	} else if (colon != NULL) {
		struct slice port = from(s, colon + 1);

		if (port.n > 0 && memchr(port.p, ':', port.n) != NULL) {
			family = AF_INET6;
		} else {
			host = until(s, colon);
			rest = from(s, colon);
		}
	}
	/* "::" is nobody's address. */
	if (parse_family(family, host, &a) != 0 || !port_ok(rest) ||
	    !net_addr_known(&a))
		return -EINVAL;
	*out = a;
	return 0;
}

struct net_addr net_addr_of(const struct sockaddr *sa)
{
	struct net_addr a = { { 0 } };

	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		memcpy(a.b, mapped, sizeof(mapped));
		memcpy(a.b + sizeof(mapped), &in->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		memcpy(a.b, &in6->sin6_addr, sizeof(a.b));
	}
	return a;
}

void net_addr_format(const struct net_addr *a, char out[NET_ADDR_TEXT])
{
	strcpy(out, "-");
	if (!net_addr_known(a))
		return;
	if (is_ipv4(a))
		inet_ntop(AF_INET, a->b + sizeof(mapped), out, NET_ADDR_TEXT);
	else
		inet_ntop(AF_INET6, a->b, out, NET_ADDR_TEXT);
}

/* Whoever has an IPv6 address has a /64 of them (RFC 6177). */
struct net_addr net_addr_client(const struct net_addr *a)
{
	struct net_addr c = *a;

	if (!is_ipv4(a))
		memset(c.b + 8, 0, 8);
	return c;
}

/* --- blocks --- */

struct block {
	struct net_addr addr;
	unsigned bits;
};

struct net_list {
	size_t n;
	struct block blocks[];
};

static bool in_block(const struct block *b, const struct net_addr *a)
{
	unsigned whole = b->bits / 8, rest = b->bits % 8;

	/* "::/0" means IPv6. */
	if (b->bits < MAPPED_BITS && is_ipv4(a))
		return false;
	if (memcmp(a->b, b->addr.b, whole) != 0)
		return false;
	return rest == 0 || ((a->b[whole] ^ b->addr.b[whole]) >> (8 - rest)) == 0;
}

static int parse_block(struct slice s, struct block *out)
{
	const char *slash = s.n > 0 ? memchr(s.p, '/', s.n) : NULL;
	struct slice host = slash != NULL ? until(s, slash) : s;
	bool v4 = host.n > 0 && memchr(host.p, ':', host.n) == NULL;
	unsigned most = v4 ? 32 : 128, bits = most;

	if (parse_family(v4 ? AF_INET : AF_INET6, host, &out->addr) != 0)
		return -EINVAL;
	if (slash != NULL && parse_number(from(s, slash + 1), most, &bits) != 0)
		return -EINVAL;
	out->bits = v4 ? MAPPED_BITS + bits : bits;
	return 0;
}

static struct slice trim(struct slice s)
{
	static const char space[] = " \t\r\n";

	while (s.n > 0 && memchr(space, s.p[0], sizeof(space) - 1) != NULL)
		s = from(s, s.p + 1);
	while (s.n > 0 && memchr(space, s.p[s.n - 1], sizeof(space) - 1) != NULL)
		s.n--;
	return s;
}

struct net_list *net_list_new(const char *text, struct slice *bad_out)
{
	struct slice rest = trim(slice_of(text));
	struct net_list *l;
	size_t most = 1;

	for (size_t i = 0; i < rest.n; i++)
		most += rest.p[i] == ',';
	l = mem_zalloc(sizeof(*l) + most * sizeof(l->blocks[0]));
	if (rest.n == 0)
		return l;
	for (;;) {
		const char *comma =
			rest.n > 0 ? memchr(rest.p, ',', rest.n) : NULL;
		struct slice item =
			trim(comma != NULL ? until(rest, comma) : rest);

		if (parse_block(item, &l->blocks[l->n]) != 0) {
			*bad_out = item;
			net_list_free(&l);
			return NULL;
		}
		l->n++;
		if (comma == NULL)
			return l;
		rest = from(rest, comma + 1);
	}
}

void net_list_free(struct net_list **l)
{
	free(*l);
	*l = NULL;
}

bool net_list_has(const struct net_list *l, const struct net_addr *a)
{
	if (!net_addr_known(a))
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (in_block(&l->blocks[i], a))
			return true;
	return false;
}
