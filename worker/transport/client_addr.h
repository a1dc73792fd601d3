/* Whom a request comes from. No input or output. */
#ifndef PW_CLIENT_ADDR_H
#define PW_CLIENT_ADDR_H

#include "common/protocol/http_head.h"
#include "common/base/net_addr.h"

/* peer: of the connection, or of its PROXY header. When that is a trusted
 * proxy: the last address of X-Forwarded-For that is not one; not known when
 * there is none. */
struct net_addr client_addr(const struct http_head *h,
			    const struct net_addr *peer,
			    const struct net_list *trusted);

#endif
