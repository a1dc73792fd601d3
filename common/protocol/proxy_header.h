/* PROXY protocol header, versions 1 and 2 (haproxy.org, proxy-protocol.txt).
 * Pure. */
#ifndef PW_PROXY_HEADER_H
#define PW_PROXY_HEADER_H

#include "common/base/net_addr.h"

#define PROXY_HEADER_MAX 4096	/* version 2 with its TLVs; more is refused */

/* Reads the header at the start of in[0..n). Returns its length; 0 when more
 * bytes are needed; -EBADMSG when these cannot be one. out: the client; not
 * known for LOCAL, UNKNOWN and other families (the connection's own address
 * holds then). */
long proxy_header_parse(const char *in, size_t n, struct net_addr *out) MUST_CHECK;

#endif
