#include <criterion/criterion.h>

#include <string.h>

#include "common/base/buf.h"
#include "worker/transport/client_addr.h"

#define TRUSTED "127.0.0.1, 10.0.0.0/8, 2001:db8:1::/48"
#define XFF "X-Forwarded-For: "

static const struct {
	const char *peer;
	const char *fields;
	const char *client;	/* "-": not known */
} rows[] = {
	/* nobody else is believed */
	{ "192.0.2.9", XFF "198.51.100.1\r\n", "192.0.2.9" },
	{ "2001:db8:2::1", XFF "198.51.100.1\r\n", "2001:db8:2::1" },
	{ "192.0.2.9", "", "192.0.2.9" },
	/* a trusted proxy */
	{ "127.0.0.1", "", "-" },
	{ "127.0.0.1", XFF "198.51.100.1\r\n", "198.51.100.1" },
	{ "::ffff:127.0.0.1", XFF "198.51.100.1\r\n", "198.51.100.1" },
	{ "2001:db8:1::5", XFF "2001:db8:2::1\r\n", "2001:db8:2::1" },
	{ "127.0.0.1", "x-forwarded-FOR:198.51.100.1\r\n", "198.51.100.1" },
	{ "127.0.0.1", XFF "198.51.100.1:4711\r\n", "198.51.100.1" },
	{ "127.0.0.1", XFF "[2001:db8::9]:4711\r\n", "2001:db8::9" },
	{ "127.0.0.1", XFF "\"[2001:db8::9]:4711\"\r\n", "-" },
	/* what the client wrote itself stands to the left */
	{ "127.0.0.1", XFF "203.0.113.7, 198.51.100.1\r\n", "198.51.100.1" },
	{ "127.0.0.1", XFF "10.0.0.7, 198.51.100.1\r\n", "198.51.100.1" },
	{ "127.0.0.1", XFF "garbage, 198.51.100.1\r\n", "198.51.100.1" },
	{ "127.0.0.1", XFF "203.0.113.7\r\n" XFF "198.51.100.1\r\n",
	  "198.51.100.1" },
	/* chains of proxies */
	{ "127.0.0.1", XFF "203.0.113.7, 198.51.100.1, 10.1.2.3\r\n",
	  "198.51.100.1" },
	{ "127.0.0.1", XFF "198.51.100.1,10.1.2.3,10.9.9.9,127.0.0.1\r\n",
	  "198.51.100.1" },
	{ "127.0.0.1", XFF "198.51.100.1\r\nVia: x\r\n" XFF "10.1.2.3\r\n",
	  "198.51.100.1" },
	{ "127.0.0.1", XFF "198.51.100.1, 10.1.2.3:80\r\n", "198.51.100.1" },
	{ "127.0.0.1", XFF "10.1.2.3, 10.1.2.4\r\n", "-" },
	/* not an address where the client's should be */
	{ "127.0.0.1", XFF "203.0.113.7, unknown\r\n", "-" },
	{ "127.0.0.1", XFF "203.0.113.7, _hidden, 10.1.2.3\r\n", "-" },
	{ "127.0.0.1", XFF "\r\n", "-" },
	{ "127.0.0.1", XFF ",\r\n", "-" },
	{ "127.0.0.1", XFF " , 198.51.100.1 , , \r\n", "198.51.100.1" },
	{ "127.0.0.1", XFF "198.51.100.1\r\n" XFF "\r\n", "198.51.100.1" },
	{ "127.0.0.1", "X-Forwarded-Fo: 198.51.100.1\r\n", "-" },
	{ "127.0.0.1", "Forwarded: for=198.51.100.1\r\n", "-" },
};

Test(client_addr, who_it_is)
{
	struct slice bad;
	struct net_list *trusted = net_list_new(TRUSTED, &bad);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf text = { 0 };
		char out[NET_ADDR_TEXT];
		struct http_head h;
		struct net_addr peer, a;

		cr_assert_eq(net_addr_parse((struct slice){ rows[i].peer,
							    strlen(rows[i].peer) },
					    &peer), 0);
		buf_printf(&text, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n",
			   rows[i].fields);
		cr_assert_gt(http_head_parse(text.p, text.len, &h), 0);
		a = client_addr(&h, &peer, trusted);
		net_addr_format(&a, out);
		cr_expect_str_eq(out, rows[i].client, "%s %s: %s", rows[i].peer,
				 rows[i].fields, out);
		buf_free(&text);
	}
	net_list_free(&trusted);
}

Test(client_addr, nobody_stays_nobody)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\n" XFF
				   "198.51.100.1\r\n\r\n";
	struct slice bad;
	struct net_list *trusted = net_list_new("0.0.0.0/0, ::/0", &bad);
	struct net_addr none = { { 0 } }, a;
	struct http_head h;

	cr_assert_gt(http_head_parse(text, sizeof(text) - 1, &h), 0);
	a = client_addr(&h, &none, trusted);
	cr_assert(!net_addr_known(&a));
	net_list_free(&trusted);
}
