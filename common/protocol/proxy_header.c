#include "common/protocol/proxy_header.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* Section 2.1: the longest line of version 1, CRLF included. */
#define V1_MAX 107
#define V1_BEGIN "PROXY "

/* Section 2.2 */
#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_SIGNATURE_LEN 12
#define V2_FIXED 16
#define V2_LOCAL 0x20
#define V2_PROXY 0x21

/* --- version 1: a line --- */

/* Up to the next space, which is taken too, or the end. */
static struct slice take_word(struct slice *rest, bool *last_out)
{
	const char *space =
		rest->n > 0 ? memchr(rest->p, ' ', rest->n) : NULL;
	struct slice word = *rest;

	*last_out = space == NULL;
	if (space != NULL)
		word.n = (size_t)(space - rest->p);
	rest->p += word.n + (space != NULL);
	rest->n -= word.n + (space != NULL);
	return word;
}

static bool port_ok(struct slice s)
{
	unsigned v = 0;

	if (s.n == 0 || s.n > 5 || (s.n > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	return v <= 65535;
}

/* Without a port or brackets. */
static bool address_ok(struct slice s, bool v6, struct net_addr *out)
{
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (v6) {
		if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
			return false;
		*out = net_addr_of((const struct sockaddr *)&in6);
		return true;
	}
	if (inet_pton(AF_INET, text, &in.sin_addr) != 1)
		return false;
	*out = net_addr_of((const struct sockaddr *)&in);
	return true;
}

static bool is(struct slice s, const char *word)
{
	return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

/* What stands between "PROXY " and CRLF. */
static int parse_line(struct slice line, struct net_addr *out)
{
	struct slice word[5];
	struct net_addr client, server;
	bool last = false, v6;
	size_t n = 0;

	while (n < ARRAY_SIZE(word) && !last) {
		word[n++] = take_word(&line, &last);
		if (n == 1 && is(word[0], "UNKNOWN")) {
			*out = (struct net_addr){ { 0 } };
			return 0;
		}
	}
	v6 = is(word[0], "TCP6");
	if (!last || n != ARRAY_SIZE(word) || (!v6 && !is(word[0], "TCP4")) ||
	    !address_ok(word[1], v6, &client) ||
	    !address_ok(word[2], v6, &server) ||
	    !port_ok(word[3]) || !port_ok(word[4]))
		return -EBADMSG;
	*out = client;
	return 0;
}

static long parse_v1(const char *in, size_t n, struct net_addr *out)
{
	size_t begin = sizeof(V1_BEGIN) - 1;
	const char *cr = memchr(in, '\r', n);
	struct slice line;

	if (memchr(in, '\n', cr != NULL ? (size_t)(cr - in) : n) != NULL)
		return -EBADMSG;
	if (cr == NULL)
		return n < V1_MAX - 1 ? 0 : -EBADMSG;
	if (cr + 2 - in > V1_MAX)
		return -EBADMSG;
	if (cr + 1 == in + n)
		return 0;
	line = (struct slice){ in + begin, (size_t)(cr - in) - begin };
	if (cr[1] != '\n' || parse_line(line, out) != 0)
		return -EBADMSG;
	return cr + 2 - in;
}

/* --- version 2: binary --- */

static const struct family {
	uint8_t byte;
	uint8_t address_len;	/* of both, with ports */
	int family;		/* AF_UNSPEC: we do not know such clients */
} families[] = {
	{ 0x00, 0, AF_UNSPEC },
	{ 0x11, 12, AF_INET },
	{ 0x12, 12, AF_UNSPEC },	/* datagrams */
	{ 0x21, 36, AF_INET6 },
	{ 0x22, 36, AF_UNSPEC },
	{ 0x31, 216, AF_UNSPEC },	/* UNIX sockets */
	{ 0x32, 216, AF_UNSPEC },
};

static const struct family *find_family(uint8_t byte)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (families[i].byte == byte)
			return &families[i];
	return NULL;
}

/* Type, length, value, over and over: section 2.2. */
static bool extensions_ok(const uint8_t *p, size_t n)
{
	while (n > 0) {
		size_t len;

		if (n < 3)
			return false;
		len = 3 + ((size_t)p[1] << 8 | p[2]);
		if (len > n)
			return false;
		p += len;
		n -= len;
	}
	return true;
}

static struct net_addr read_address(int family, const uint8_t *p)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (family == AF_INET) {
		memcpy(&in.sin_addr, p, sizeof(in.sin_addr));
		return net_addr_of((const struct sockaddr *)&in);
	}
	if (family == AF_INET6) {
		memcpy(&in6.sin6_addr, p, sizeof(in6.sin6_addr));
		return net_addr_of((const struct sockaddr *)&in6);
	}
	return (struct net_addr){ { 0 } };
}

static long parse_v2(const uint8_t *in, size_t n, struct net_addr *out)
{
	const struct family *f = NULL;
	size_t len;

	if (n > 12 && in[12] != V2_LOCAL && in[12] != V2_PROXY)
		return -EBADMSG;
	if (n > 13) {
		f = find_family(in[13]);
		if (f == NULL && in[12] != V2_LOCAL)
			return -EBADMSG;
	}
	if (n < V2_FIXED)
		return 0;
	len = (size_t)in[14] << 8 | in[15];
	if (V2_FIXED + len > PROXY_HEADER_MAX)
		return -EBADMSG;
	if (in[12] == V2_LOCAL)		/* family and block mean nothing */
		f = &families[0];
	else if (len < f->address_len)
		return -EBADMSG;
	if (n < V2_FIXED + len)
		return 0;
	if (in[12] == V2_PROXY && in[13] != 0 &&
	    !extensions_ok(in + V2_FIXED + f->address_len,
			   len - f->address_len))
		return -EBADMSG;
	*out = read_address(f->family, in + V2_FIXED);
	return (long)(V2_FIXED + len);
}

static bool agrees(const char *in, size_t n, const char *with, size_t len)
{
	return memcmp(in, with, n < len ? n : len) == 0;
}

long proxy_header_parse(const char *in, size_t n, struct net_addr *out)
{
	if (n == 0)
		return 0;
	if (agrees(in, n, V1_BEGIN, sizeof(V1_BEGIN) - 1))
		return n < sizeof(V1_BEGIN) - 1 ? 0 : parse_v1(in, n, out);
	if (agrees(in, n, V2_SIGNATURE, V2_SIGNATURE_LEN))
		return parse_v2((const uint8_t *)in, n, out);
	return -EBADMSG;
}
