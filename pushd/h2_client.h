/* HTTP/2 client of one authority (RFC 9113) over TLS 1.2 or newer, ALPN "h2":
 * few long-lived connections, requests are concurrent streams. nghttp2 over
 * libevent's OpenSSL bufferevents. Loop thread only. The process ignores SIGPIPE.
 *
 * Requests wait here until a connection has room: the one with the fewest streams;
 * a further one is opened only when all are full and have proven themselves. A
 * new connection carries one request at a time until its first answer of status
 * 2xx (APNs allows one stream until a token was accepted). What a GOAWAY or
 * REFUSED_STREAM left unprocessed, or never left this process, is sent again on
 * another connection without the caller's knowing; streams in flight then end
 * normally. After a GOAWAY, and when nothing is answered for timeout_ms while
 * requests wait for it, a replacement is opened at once if the connection had been
 * of use (an answer, other than 5xx); otherwise connections are tried again with
 * jittered backoff while there is anything to send. One that allows no requests
 * (SETTINGS_MAX_CONCURRENT_STREAMS 0) for half of timeout_ms is given up, and was of
 * no use: what waits for it goes to the next, until its own deadline. They are kept
 * while idle, and an idle one is asked by PING each ping_ms and closed when that
 * is not answered within timeout_ms. */
#ifndef PW_PUSHD_H2_CLIENT_H
#define PW_PUSHD_H2_CLIENT_H

#include "common/base/base.h"

struct h2_client;
struct loop;

#define H2_ANSWER_MAX 65536	/* bytes of body; a longer answer is -EPROTO */

struct h2_client_conf {
	const char *name;	/* log lines: "fcm", "apns sandbox" */
	const char *url;	/* https://host[:port]; no path */
	const char *ca_file;	/* PEM; "" or NULL: the system's */
	unsigned connections;	/* at most, >= 1 */
	unsigned timeout_ms;	/* until a connection is open; of its silence */
	int64_t ping_ms;
};

struct h2_header {
	const char *name;	/* lower case */
	const char *value;
	bool unique;		/* of this request only: kept out of the HPACK table */
};

struct h2_request {
	const char *method;
	const char *path;
	const struct h2_header *headers;
	size_t nheaders;
	struct slice body;
	unsigned timeout_ms;	/* from now to the answer's end, waiting included */
};

struct h2_response {
	int status;
	struct slice body;
	struct slice retry_after;	/* that header's value; empty: none */
	struct slice apns_id;
};

/* Exactly once, never before h2_client_send() returns. err 0: r holds the
 * answer, borrowed until return. -ENOTCONN: certainly not processed (no connection in time,
 * or refused until the deadline). -ETIMEDOUT, -ECONNRESET (connection
 * or stream ended), -EPROTO (an answer that is none): outcome unknown.
 * -ECANCELED: by h2_client_free(). */
typedef void h2_cb(void *arg, int err, const struct h2_response *r);

/* conf's strings are copied. NULL with a sentence in err for a bad URL or CA file. Connects
 * when there is something to send. */
struct h2_client *h2_client_new(struct loop *l, const struct h2_client_conf *c,
				char err[256]);
/* Copies everything. */
void h2_client_send(struct h2_client *c, const struct h2_request *r, h2_cb *cb,
		    void *arg);
/* Requests without an answer, sent or waiting. */
size_t h2_client_pending(const struct h2_client *c);
/* Pending callbacks get -ECANCELED before this returns. NULLs *c. Not from
 * within a callback of this client: from a LOOP_REAP task. */
void h2_client_free(struct h2_client **c);

#endif
