/* One request, from h2_client_send() to its callback. It is in one list at a time:
 * waiting at the client, in flight on a connection, or done and about to be told. */
#ifndef PW_PUSHD_H2_CALL_H
#define PW_PUSHD_H2_CALL_H

#include <nghttp2/nghttp2.h>

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/loop/loop.h"
#include "pushd/h2_client.h"

struct h2_conn;

struct h2_call {
	struct list node;
	struct h2_client *client;
	h2_cb *cb;
	void *arg;
	struct timer deadline;

	/* the request; one block of memory with this struct */
	nghttp2_nv *nv;
	size_t nnv;
	struct slice body;

	/* of its current stream */
	struct h2_conn *conn;	/* NULL: on none */
	int32_t stream_id;
	size_t body_sent;
	bool packed;		/* its first frame left nghttp2 … */
	uint64_t packed_at;	/* … at this offset of the connection's output */
	bool reset;		/* the peer sent RST_STREAM */

	/* what came of it */
	int err;
	int status;		/* 0: none yet */
	struct buf answer;
	char retry_after[40];	/* a number of seconds or an HTTP date */
	char apns_id[40];	/* a UUID */
};

/* Copies all of r. authority: as in a URL. */
struct h2_call *h2_call_new(const struct h2_request *r, const char *authority);
/* Nothing is left of a stream that came to nothing; it may be sent again. */
void h2_call_rewind(struct h2_call *call);
/* The answer's header of this name and value, if it is one we keep. */
void h2_call_header(struct h2_call *call, struct slice name, struct slice value);
/* False: longer than H2_ANSWER_MAX. */
bool h2_call_data(struct h2_call *call, const void *p, size_t n) MUST_CHECK;
/* Calls back with what came of it, then frees it. */
void h2_call_tell(struct h2_call *call);

#endif
