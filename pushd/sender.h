/* One app at one provider: credentials and connections. Loop thread only. */
#ifndef PW_PUSHD_SENDER_H
#define PW_PUSHD_SENDER_H

#include "pushd/notification.h"
#include "pushd/outcome.h"

struct loop;
struct sender;
struct google_account;

struct sender_conf {
	const char *name;	/* "fcm", "apns com.example.app sandbox" */
	const char *url;	/* https://fcm.googleapis.com */
	const char *ca_file;
	unsigned connections;
	unsigned timeout_ms;	/* of a notification, of a token's fetch */
};
struct apns_conf {
	const char *key_pem;
	const char *key_id;
	const char *team_id;
	const char *topic;
};

/* Exactly once, never before sender_send() returns. OUTCOME_RENEW never comes
 * out: the sender has tried again by then. latency_us: of the last try. */
typedef void sender_cb(void *arg, const struct outcome *o, int64_t latency_us);

/* All copied. NULL with a sentence in err that quotes no key. */
struct sender *sender_new_fcm(struct loop *l, const struct sender_conf *c,
			      const struct google_account *account,
			      char err[256]);
struct sender *sender_new_apns(struct loop *l, const struct sender_conf *c,
			       const struct apns_conf *apns, char err[256]);
/* Sends nothing: writes a line of JSON to standard output, {provider, device,
 * type, messageId, title, body, badge, payload}: null where there is none, and
 * payload without the device's token. For --dry-run. */
struct sender *sender_new_dry(struct loop *l, enum provider p);
/* n is copied as far as it is needed. A token that no header or path may carry
 * ends in OUTCOME_DELETE without asking the provider (unasked). */
void sender_send(struct sender *s, const struct notification *n, sender_cb *cb,
		 void *arg);
const char *sender_name(const struct sender *s);
enum provider sender_provider(const struct sender *s);
/* Notifications without an outcome. */
size_t sender_pending(const struct sender *s);
/* Nothing more will be sent by it: idle() is called once nothing is pending,
 * perhaps before this returns, perhaps from within the last one's callback. */
void sender_retire(struct sender *s, void (*idle)(void *arg), void *arg);
/* Waiting callbacks get OUTCOME_RETRY before this returns. NULLs *s. From a
 * LOOP_REAP task, as h2_client_free(). */
void sender_free(struct sender **s);

#endif
