/* What the senders have in common. Only sender*.c include this.
 *
 * A notification on its way is a flight. An ops' submit() ends in exactly one of
 * flight_request() and flight_end(), perhaps later. */
#ifndef PW_PUSHD_SENDER_IMPL_H
#define PW_PUSHD_SENDER_IMPL_H

#include "common/loop/loop.h"
#include "pushd/h2_client.h"
#include "pushd/sender.h"

#define SENDER_PING_MS 3600000	/* Apple: about once an hour */

struct flight {
	struct list node;	/* of sender.ended */
	struct sender *s;
	sender_cb *cb;
	void *arg;
	struct outcome outcome;	/* once it has ended */
	int64_t sent_us;
	int64_t latency_us;	/* of the last try; 0: none yet */
	unsigned serial;	/* of the authorization it was sent with */
	bool renewed;		/* this is the second try */
	bool silent;
	unsigned priority;
	int64_t expires_s;
	char collapse_id[COLLAPSE_ID_MAX + 1];
	const char *device_id;	/* borrowed, until submit() returns */
	struct slice body;	/* within data */
	const char *path;	/* within data, or the sender's */
	char data[];
};

struct sender_ops {
	/* NULL: any; else false when this device token is none. */
	bool (*is_token)(const char *token);
	/* With the device's token behind it; NULL: the sender sets flight.path. */
	const char *path_prefix;
	/* What the outcome of a token that is none says. */
	const char *no_token_reason;
	void (*submit)(struct sender *s, struct flight *f);
	/* The authorization of f was refused. False: there is no other. */
	bool (*renew)(struct sender *s, const struct flight *f);
	/* Ends what waits inside it (flight_end()) and frees it, without the base. */
	void (*free)(struct sender *s);
};

struct sender {
	const struct sender_ops *ops;
	enum provider provider;
	char *name;
	struct loop *loop;
	struct h2_client *http;	/* NULL: dry */
	unsigned timeout_ms;
	/* The header's value, made when the token changes and not for each
	 * request; serial tells which it is. */
	char *authorization;
	unsigned serial;
	size_t pending;
	struct list ended;	/* their callbacks are due */
	struct task end;
	void (*idle)(void *arg);
	void *idle_arg;
};

/* The base within a larger object. c NULL: dry. 0, or -EINVAL with a sentence in err and
 * nothing to clear. */
int sender_init(struct sender *s, const struct sender_ops *ops,
		enum provider p, struct loop *l, const struct sender_conf *c,
		const char *name, char err[256]) MUST_CHECK;
void sender_clear(struct sender *s);
/* authorization = scheme token, unless it is that already. */
void sender_authorize(struct sender *s, const char *scheme, const char *token);
/* Sends it with s->authorization, which is among the headers. */
void flight_request(struct flight *f, const struct h2_header *headers,
		    size_t n);
/* Its outcome is known without a request: the callback comes in a turn of
 * the loop's. */
void flight_end(struct flight *f, const struct outcome *o);
/* The same, by a negative errno. */
void flight_fail(struct flight *f, int err);

#endif
