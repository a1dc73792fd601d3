#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/base/net_addr.h"

static struct slice text(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static struct net_addr addr(const char *s)
{
	struct net_addr a;

	cr_assert_eq(net_addr_parse(text(s), &a), 0, "%s", s);
	return a;
}

Test(net_addr, parse_and_format)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "192.0.2.1:80", "192.0.2.1" },
		{ "192.0.2.1:0", "192.0.2.1" },
		{ "192.0.2.1:65535", "192.0.2.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "::1", "::1" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "[2001:db8::1]", "2001:db8::1" },
		{ "[2001:db8::1]:443", "2001:db8::1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "[::ffff:192.0.2.1]:5", "192.0.2.1" },
		{ "::ffff:c000:201", "192.0.2.1" },
		{ "64:ff9b::192.0.2.1", "64:ff9b::c000:201" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		/* the longest spelling */
		{ "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = strlen(rows[i].in);
		char out[NET_ADDR_TEXT], *copy = malloc(n);
		struct net_addr a;

		memcpy(copy, rows[i].in, n);	/* without a NUL */
		cr_assert_eq(net_addr_parse((struct slice){ copy, n }, &a), 0,
			     "%s", rows[i].in);
		cr_assert(net_addr_known(&a));
		net_addr_format(&a, out);
		cr_expect_str_eq(out, rows[i].out);
		free(copy);
	}
}

Test(net_addr, refused)
{
	static const char *const rows[] = {
		"", " ", "-", "unknown", "_hidden", "::", "[::]", "192.0.2",
		"192.0.2.1.", "192.0.2.256", "192.0.2.01", "192.0.2.1:",
		"192.0.2.1:65536", "192.0.2.1:080", "192.0.2.1:8x",
		"192.0.2.1:-1", "192.0.2.1 ", " 192.0.2.1", "192.0.2.1/8",
		"[192.0.2.1]", "[2001:db8::1", "2001:db8::1]", "[2001:db8::1]x",
		"[2001:db8::1]:", "[2001:db8::1]:99999", "[2001:db8::1]443",
		"[]", "[]:80", "[", ":", ":80", "2001:db8:::1", "fe80::1%eth0",
		"2001:db8::1::", "1:2:3:4:5:6:7:8:9", "12345::", "a.example",
		"localhost", "0x7f.1",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_addr a = { { 7 } };

		cr_expect_eq(net_addr_parse(text(rows[i]), &a), -EINVAL, "%s",
			     rows[i]);
		cr_expect_eq(a.b[0], 7, "%s", rows[i]);
	}
	cr_expect_eq(net_addr_parse((struct slice){ "::1\0", 4 },
				    &(struct net_addr){ { 0 } }), -EINVAL);
	cr_expect_eq(net_addr_parse((struct slice){ NULL, 0 },
				    &(struct net_addr){ { 0 } }), -EINVAL);
}

Test(net_addr, of_a_socket_address)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/x" };
	struct net_addr a, want = addr("192.0.2.1");
	char out[NET_ADDR_TEXT];

	inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
	a = net_addr_of((struct sockaddr *)&in);
	cr_assert(net_addr_equal(&a, &want));
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr);
	a = net_addr_of((struct sockaddr *)&in6);
	cr_assert(net_addr_equal(&a, &want));
	a = net_addr_of((struct sockaddr *)&un);
	cr_assert(!net_addr_known(&a));
	net_addr_format(&a, out);
	cr_assert_str_eq(out, "-");
}

Test(net_addr, counted_by)
{
	static const struct { const char *a, *b; bool same; } rows[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true },
		{ "2001:db8::1", "2001:db8:0:1::1", false },
		{ "::ffff:192.0.2.1", "192.0.2.1", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_addr a = addr(rows[i].a), b = addr(rows[i].b);

		a = net_addr_client(&a);
		b = net_addr_client(&b);
		cr_expect_eq(net_addr_equal(&a, &b), rows[i].same, "%s %s",
			     rows[i].a, rows[i].b);
	}
}

Test(net_list, has)
{
	static const struct { const char *list, *addr; bool has; } rows[] = {
		{ "", "192.0.2.1", false },
		{ "  ", "192.0.2.1", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.1/32", "192.0.2.1", true },
		{ "192.0.2.1/32", "192.0.2.0", false },
		{ "192.0.2.0/31", "192.0.2.1", true },
		{ "192.0.2.0/31", "192.0.2.2", false },
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.9.8.7/8", "10.1.1.1", true },
		{ "172.16.0.0/12", "172.31.255.255", true },
		{ "172.16.0.0/12", "172.32.0.0", false },
		{ "0.0.0.0/0", "255.1.2.3", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "128.0.0.0/1", "128.0.0.0", true },
		{ "128.0.0.0/1", "127.255.255.255", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "192.0.2.1", false },
		{ "::1", "::1", true },
		{ "::1/128", "::2", false },
		{ "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/32", "2001:db9::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "fe80::/10", "febf::1", true },
		{ "fe80::/10", "fec0::1", false },
		{ "::ffff:0:0/96", "192.0.2.1", true },
		{ "::ffff:192.0.2.0/120", "192.0.2.255", true },
		{ "::ffff:192.0.2.0/120", "192.0.3.0", false },
		{ "127.0.0.1, ::1", "::1", true },
		{ "127.0.0.1, ::1", "127.0.0.1", true },
		{ "127.0.0.1,::1,10.0.0.0/8", "10.0.0.1", true },
		{ " 127.0.0.1 ,\t::1 ", "::1", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice bad;
		struct net_list *l = net_list_new(rows[i].list, &bad);
		struct net_addr a = addr(rows[i].addr), none = { { 0 } };

		cr_assert_not_null(l, "%s", rows[i].list);
		cr_expect_eq(net_list_has(l, &a), rows[i].has, "%s in %s",
			     rows[i].addr, rows[i].list);
		cr_expect(!net_list_has(l, &none), "%s", rows[i].list);
		net_list_free(&l);
		cr_assert_null(l);
	}
}

Test(net_list, refused)
{
	static const struct { const char *list, *bad; } rows[] = {
		{ "x", "x" },
		{ ",", "" },
		{ "::1,", "" },
		{ ",::1", "" },
		{ "::1,,::2", "" },
		{ "::1 ::2", "::1 ::2" },
		{ "10.0.0.0/33", "10.0.0.0/33" },
		{ "10.0.0.0/", "10.0.0.0/" },
		{ "10.0.0.0/08", "10.0.0.0/08" },
		{ "10.0.0.0/-1", "10.0.0.0/-1" },
		{ "10.0.0.0/8/8", "10.0.0.0/8/8" },
		{ "10.0.0.0:80", "10.0.0.0:80" },
		{ "10.0.0/8", "10.0.0/8" },
		{ "10/8", "10/8" },
		{ "/8", "/8" },
		{ "::1, ::/129", "::/129" },
		{ "[::1]", "[::1]" },
		{ "::1, localhost , ::2", "localhost" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice bad = { 0 };

		cr_assert_null(net_list_new(rows[i].list, &bad), "%s",
			       rows[i].list);
		cr_expect(bad.n == strlen(rows[i].bad) &&
			  memcmp(bad.p, rows[i].bad, bad.n) == 0, "%s: %.*s",
			  rows[i].list, (int)bad.n, bad.p);
	}
}
