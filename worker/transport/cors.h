/* Cross-origin resource sharing: which web pages may talk to us, and the header
 * fields that say so. No input or output. (socketio.md 6; Fetch standard 3.2) */
#ifndef PW_CORS_H
#define PW_CORS_H

#include "common/base/buf.h"
#include "common/protocol/http_head.h"

struct cors;

/* origins: "" (off), "*", or origins separated by commas, compared whole, case
 * of scheme and host aside. credentials: listed ones may send cookies ("*"
 * never may). */
struct cors *cors_new(const char *origins, bool credentials);
void cors_free(struct cors **c);
/* Appends the fields for an answer to this request, each with CRLF; nothing
 * when off. */
void cors_fields(const struct cors *c, const struct http_head *h,
		 struct buf *out);
/* h is a preflight to be answered 204 with these fields (cors_fields
 * included). False, and nothing appended: it is none, or CORS is off. */
bool cors_preflight(const struct cors *c, const struct http_head *h,
		    struct buf *out);
/* A WebSocket may be opened: browsers do not ask first. Off, no Origin field
 * (not a browser), a listed one, or the server's own: that of its own pages, and
 * what React Native says in every app. */
bool cors_websocket_ok(const struct cors *c, const struct http_head *h);

#endif
