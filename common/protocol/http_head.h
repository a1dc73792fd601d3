/* HTTP/1.1 request head, strict (RFC 9112): CRLF only, no obs-fold, no
 * whitespace before a colon, one Host, token methods and names. A head that two
 * readers could frame differently is malformed: Content-Length twice, not a
 * number, or together with Transfer-Encoding. Pure. */
#ifndef PW_HTTP_HEAD_H
#define PW_HTTP_HEAD_H

#include "common/base/base.h"

#define HTTP_HEAD_MAX 16384
#define HTTP_FIELDS_MAX 64

struct http_field {
	struct slice name;
	struct slice value;	/* without surrounding whitespace */
};

struct http_head {
	struct slice method;
	struct slice target;	/* as sent */
	struct slice path;	/* target before '?', without scheme and host */
	struct slice query;	/* behind '?', may be empty */
	unsigned minor;		/* 1.0: 0, 1.1: 1 */
	struct http_field fields[HTTP_FIELDS_MAX];
	size_t nfields;
};

/* Reads the head at the start of in[0..n). Returns its length including the
 * empty line; 0 when more bytes are needed; -EBADMSG when malformed (answer
 * 400 and close); -E2BIG past HTTP_HEAD_MAX or HTTP_FIELDS_MAX (431).
 * Slices point into `in`. out is written only on success. */
long http_head_parse(const char *in, size_t n, struct http_head *out) MUST_CHECK;

/* First field of that name (case-insensitive); p == NULL when absent. *count
 * (may be NULL) gets how many there are. */
struct slice http_head_field(const struct http_head *h, const char *name,
			     size_t *count);
/* The comma-separated list in all fields of that name contains token
 * (case-insensitive). */
bool http_head_list_has(const struct http_head *h, const char *name,
			const char *token);
/* First parameter `key` of a query string, not percent-decoded; p == NULL when
 * absent. */
struct slice http_query_get(struct slice query, const char *key);

#endif
