/* Client addresses and blocks of them, as text and for comparison. Pure. */
#ifndef PW_NET_ADDR_H
#define PW_NET_ADDR_H

#include "common/base/base.h"

struct sockaddr;

/* IPv6, IPv4 as ::ffff:a.b.c.d; all zero: not known. */
struct net_addr {
	uint8_t b[16];
};

#define NET_ADDR_TEXT 46

bool net_addr_known(const struct net_addr *a);
bool net_addr_equal(const struct net_addr *a, const struct net_addr *b);
/* "192.0.2.1", "2001:db8::1", each with or without a port as proxies write it
 * ("192.0.2.1:80", "[2001:db8::1]:80", "[2001:db8::1]"). 0 or -EINVAL. */
int net_addr_parse(struct slice text, struct net_addr *out) MUST_CHECK;
/* Another family than the two is "not known". */
struct net_addr net_addr_of(const struct sockaddr *sa);
/* "192.0.2.1" for IPv4; "-" when not known. */
void net_addr_format(const struct net_addr *a, char out[NET_ADDR_TEXT]);
/* What one client may be counted by: an IPv6 address's /64, an IPv4 address. */
struct net_addr net_addr_client(const struct net_addr *a);

/* Blocks: "10.0.0.0/8, ::1". */
struct net_list;
/* NULL when text holds something else; *bad_out is then the item (borrowed). An
 * empty text is an empty list. */
struct net_list *net_list_new(const char *text, struct slice *bad_out);
void net_list_free(struct net_list **l);
bool net_list_has(const struct net_list *l, const struct net_addr *a);

#endif
