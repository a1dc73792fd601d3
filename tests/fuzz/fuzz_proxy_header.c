/* proxy_header and the addresses in it: what a load balancer in front of us says
 * about a client, in three notations of one address. */
#include "common/protocol/proxy_header.h"

#include <errno.h>

#include "tests/fuzz/fuzz.h"

static void check_address(const struct net_addr *a)
{
	static const char mapped[12] = "\0\0\0\0\0\0\0\0\0\0\xff\xff";
	char text[NET_ADDR_TEXT], header[192];
	struct net_addr again;
	int n;

	net_addr_format(a, text);
	if (!net_addr_known(a))
		return;
	CHECK(net_addr_parse((struct slice){ text, strlen(text) }, &again) == 0);
	CHECK(net_addr_equal(a, &again));
	n = snprintf(header, sizeof(header), "PROXY TCP%c %s %s 1 65535\r\n",
		     memcmp(a->b, mapped, sizeof(mapped)) == 0 ? '4' : '6',
		     text, text);
	CHECK(proxy_header_parse(header, (size_t)n, &again) == n);
	CHECK(net_addr_equal(a, &again));
}

static void check_header(const uint8_t *data, size_t n)
{
	const char *in = (const char *)data;
	struct net_addr a = { { 0 } }, again = { { 0 } };
	size_t cut = chosen(data, n, n);
	long len = proxy_header_parse(in, n, &a);
	long early = proxy_header_parse(in, cut, &again);

	CHECK(len >= 0 || len == -EBADMSG);
	CHECK(len <= (long)n && len <= PROXY_HEADER_MAX);
	/* what is decided on fewer bytes stays so with more */
	if (early != 0)
		CHECK(len == early);
	if (len <= 0) {
		CHECK(len != 0 || n < PROXY_HEADER_MAX);
		return;
	}
	CHECK((long)cut >= len || early == 0);
	/* and nothing behind the end has a say */
	CHECK(proxy_header_parse(in, (size_t)len, &again) == len);
	CHECK(net_addr_equal(&a, &again));
	check_address(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct net_addr a;

	check_header(data, n);
	if (net_addr_parse((struct slice){ (const char *)data, n }, &a) == 0)
		check_address(&a);
	return 0;
}
