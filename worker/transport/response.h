/* An HTTP answer as bytes. The only place that makes a head. No input or
 * output. (RFC 9110, 9112) */
#ifndef PW_RESPONSE_H
#define PW_RESPONSE_H

#include "common/base/buf.h"

struct response {
	unsigned status;
	const char *type;	/* Content-Type; NULL: none */
	const char *fields;	/* more fields, each with CRLF; NULL: none */
	struct slice body;
};

/* What becomes of the connection. */
enum response_then {
	RESPONSE_CLOSE,
	RESPONSE_KEEP,		/* as HTTP/1.1 does without being told */
	RESPONSE_KEEP_SAY,	/* told to a client that speaks HTTP/1.0 */
};

/* text/plain */
struct response response_text(unsigned status, const char *body);
/* Appends the head, and counts it. fields: of this request (CORS), or empty. */
void response_head(struct buf *out, const struct response *r,
		   enum response_then then, struct slice fields);
/* "Bad Request" */
const char *response_reason(unsigned status);

#endif
