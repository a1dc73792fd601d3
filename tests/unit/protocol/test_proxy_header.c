#include "common/protocol/proxy_header.h"

#include <errno.h>
#include <stdio.h>

#include "tests/unit/protocol/exact.h"

/* Parses in[0..n), and every truncation of it: each wants more, or is refused
 * already when the whole is. */
static long parse(const char *in, size_t n, struct net_addr *out)
{
	struct slice s = exact(in, n);
	long rc = proxy_header_parse(s.p, s.n, out);

	free((char *)s.p);
	for (size_t k = 0; k < (rc > 0 ? (size_t)rc : n); k++) {
		struct net_addr a = { { 7 } };
		long part;

		s = exact(in, k);
		part = proxy_header_parse(s.p, s.n, &a);
		cr_assert(part == 0 || (part == -EBADMSG && rc == -EBADMSG),
			  "%zu of %zu bytes: %ld", k, n, part);
		cr_assert_eq(a.b[0], 7);
		free((char *)s.p);
	}
	return rc;
}

static void expect(const char *in, size_t n, long want, const char *client)
{
	struct net_addr a = { { 7 } };
	char out[NET_ADDR_TEXT];
	long rc = parse(in, n, &a);

	cr_assert_eq(rc, want, "%.*s: %ld", (int)n, in, rc);
	if (want > 0) {
		net_addr_format(&a, out);
		cr_assert_str_eq(out, client);
	} else {
		cr_assert_eq(a.b[0], 7);
	}
}

Test(proxy_header, version_1)
{
	static const struct { const char *line, *client; } rows[] = {
		{ "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443", "192.0.2.1" },
		{ "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535",
		  "255.255.255.255" },
		{ "PROXY TCP4 1.2.3.4 5.6.7.8 0 0", "1.2.3.4" },
		{ "PROXY TCP6 2001:db8::1 2001:db8::2 4124 443", "2001:db8::1" },
		{ "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2", "192.0.2.1" },
		{ "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "PROXY UNKNOWN", "-" },
		{ "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535", "-" },
		{ "PROXY UNKNOWN whatever this is", "-" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char in[256];
		int n = snprintf(in, sizeof(in), "%s\r\n", rows[i].line);
		struct net_addr a;

		expect(in, (size_t)n, n, rows[i].client);
		/* what comes behind is not looked at */
		strcat(in, "GET / HTTP/1.1\r\n");
		cr_assert_eq(proxy_header_parse(in, strlen(in), &a), n);
	}
}

Test(proxy_header, version_1_refused)
{
	static const char *const rows[] = {
		"PROXY \r\n",
		"PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
		"PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8\r\n",
		"PROXY TCP4\r\n",
		"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n",
		"PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n",
		"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
		"PROXY UNKNOWNX\r\n",
		"PROXY TCP4 ::1 ::1 1 2\r\n",
		"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
		"PROXY TCP4 1.2.3.4 ::1 1 2\r\n",
		"PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n",
		"PROXY TCP4 1.2.3.4:1 5.6.7.8 1 2\r\n",
		"PROXY TCP6 [::1] ::1 1 2\r\n",
		"PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rx",
		"proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
		"PROXYTCP4", "GET / HTTP/1.1\r\n", " PROXY", "\n", "\r\r",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect(rows[i], strlen(rows[i]), -EBADMSG, NULL);
	expect("PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n", 33, -EBADMSG, NULL);
}

Test(proxy_header, version_1_is_107_bytes_at_most)
{
	char in[200] = "PROXY UNKNOWN ";
	struct net_addr a;

	memset(in + 14, 'x', sizeof(in) - 14);
	memcpy(in + 105, "\r\n", 2);
	expect(in, 107, 107, "-");
	memset(in + 105, 'x', 2);
	memcpy(in + 106, "\r\n", 2);
	expect(in, 108, -EBADMSG, NULL);
	memset(in + 105, 'x', 3);
	cr_assert_eq(proxy_header_parse(in, 105, &a), 0);
	cr_assert_eq(proxy_header_parse(in, 106, &a), -EBADMSG);
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\x00\x02\x01" "\xc6\x33\x64\x01" "\x30\x39" "\x01\xbb"
#define V6_1 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define V6 V6_1 V6_1 "\x30\x39" "\x01\xbb"
#define ROW(s, client) { s, sizeof(s) - 1, client }

struct row {
	const char *in;
	size_t n;
	const char *client;	/* NULL: refused */
};

static const struct row version_2[] = {
	ROW(SIGNATURE "\x21\x11\x00\x0c" V4, "192.0.2.1"),
	ROW(SIGNATURE "\x21\x21\x00\x24" V6, "2001:db8::1"),
	/* extensions: none of three bytes, one of five, NOOP */
	ROW(SIGNATURE "\x21\x11\x00\x0f" V4 "\x04\0\0", "192.0.2.1"),
	ROW(SIGNATURE "\x21\x11\x00\x14" V4 "\xe0\0\x02" "ab" "\x04\0\0",
	    "192.0.2.1"),
	/* no address for us */
	ROW(SIGNATURE "\x21\x00\x00\x00", "-"),
	ROW(SIGNATURE "\x21\x00\x00\x03" "abc", "-"),
	ROW(SIGNATURE "\x21\x12\x00\x0c" V4, "-"),
	ROW(SIGNATURE "\x21\x22\x00\x24" V6, "-"),
	/* the proxy's own: neither family nor block matter */
	ROW(SIGNATURE "\x20\x00\x00\x00", "-"),
	ROW(SIGNATURE "\x20\x11\x00\x0c" V4, "-"),
	ROW(SIGNATURE "\x20\x99\x00\x01" "x", "-"),
	/* refused */
	ROW(SIGNATURE "\x11\x11\x00\x0c" V4, NULL),	/* version 1 */
	ROW(SIGNATURE "\x31\x11\x00\x0c" V4, NULL),
	ROW(SIGNATURE "\x22\x11\x00\x0c" V4, NULL),	/* command 2 */
	ROW(SIGNATURE "\x21\x13\x00\x0c" V4, NULL),
	ROW(SIGNATURE "\x21\x10\x00\x0c" V4, NULL),
	ROW(SIGNATURE "\x21\x01\x00\x00", NULL),
	ROW(SIGNATURE "\x21\x41\x00\x00", NULL),
	ROW(SIGNATURE "\x21\x11\x00\x0b" V4, NULL),	/* too short */
	ROW(SIGNATURE "\x21\x21\x00\x0c" V4, NULL),
	ROW(SIGNATURE "\x21\x31\x00\x0c" V4, NULL),
	ROW(SIGNATURE "\x21\x11\x00\x0e" V4 "\x04\0", NULL), /* half a TLV */
	ROW(SIGNATURE "\x21\x11\x00\x10" V4 "\x04\0\x02" "a", NULL),
	ROW(SIGNATURE "\x21\x11\x10\x00" V4, NULL),	/* longer than we take */
	ROW(SIGNATURE "\x21\x11\xff\xff" V4, NULL),
	ROW("\r\n\r\n\0\r\nQUIT\r\x21\x11\x00\x0c" V4, NULL),
};

Test(proxy_header, version_2)
{
	for (size_t i = 0; i < ARRAY_SIZE(version_2); i++) {
		const struct row *r = &version_2[i];

		expect(r->in, r->n, r->client != NULL ? (long)r->n : -EBADMSG,
		       r->client);
	}
}

Test(proxy_header, version_2_unix)
{
	char in[16 + 216] = SIGNATURE "\x21\x31\x00\xd8";

	expect(in, sizeof(in), sizeof(in), "-");
}

Test(proxy_header, version_2_as_long_as_may_be)
{
	static char in[PROXY_HEADER_MAX] = SIGNATURE "\x21\x11\x0f\xf0" V4
					   "\x04\x0f\xe1";

	expect(in, sizeof(in), sizeof(in), "192.0.2.1");
}

Test(proxy_header, nothing_yet)
{
	struct net_addr a;

	cr_assert_eq(proxy_header_parse(NULL, 0, &a), 0);
}
