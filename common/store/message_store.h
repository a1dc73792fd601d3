/* Where messages live. One interface, two backends (mongodb://, postgresql://),
 * chosen by URL. Loop thread only; every callback runs exactly once, on the
 * loop, never before the call returns; each operation ends within timeout_ms.
 *
 * Inserts are grouped (M3): a stream - (sender, match) - hashes to one lane, a
 * lane has one batch in flight, callbacks of one lane come in the order of its
 * inserts. When the outcome of a batch is unknown, be it that the deadline of
 * one of its inserts passed first, the rest of it and what waits in its lane are
 * refused too, the latter unsent, all before the lane goes on: the caller can
 * begin a new src before the next of the same stream is stored, so that nothing
 * stored later hides a row that turns up after all (M6: a cursor names the last
 * pos of each stream).
 *
 * All other operations together hold at most 16 MiB, waiting and in flight: one
 * beyond that is answered -EAGAIN at the end of the loop's turn, and nothing
 * was sent. */
#ifndef PW_MESSAGE_STORE_H
#define PW_MESSAGE_STORE_H

#include "common/store/message.h"

struct loop;
struct message_store;

struct message_store_conf {
	const char *url;	/* mongodb://host/db or postgresql://… */
	const char *name;	/* for the servers' connection lists and logs */
	unsigned lanes;		/* concurrent batches, >= 1 */
	unsigned timeout_ms;	/* deadline of each operation */
	unsigned queue_max;	/* inserts waiting per lane; more are refused with
				 * STORE_UNAVAILABLE */
};

enum store_result {
	STORE_OK,		/* durable, and routing it is the caller's: also
				 * when an earlier try of this very row (same
				 * pos and src) turns out to have arrived */
	STORE_DUPLICATE,	/* the same message was there: *first is it */
	STORE_CLASH,		/* same id, other content (contract 2) */
	STORE_REFUSED,		/* this row is not storable; others were */
	STORE_UNAVAILABLE,	/* down or overloaded; certainly not stored, or
				 * outcome unknown: retry with the same tempId */
};

/* conf's strings are copied. NULL with a message in err (256 bytes) when the
 * URL is unusable. Does not wait for the server: schema and indexes are made
 * when it is first reached. state(up) on each change. */
struct message_store *message_store_new(struct loop *l,
					const struct message_store_conf *conf,
					void (*state)(void *arg, bool up),
					void *arg, char err[256]);
/* Pending callbacks get STORE_UNAVAILABLE / -ECANCELED before this returns,
 * those of what they submit included.
 * With MongoDB it waits for the driver's running calls: on a server that hangs
 * up to the URL's socketTimeoutMS (10 s or timeout_ms unless it says). NULLs
 * *s. */
void message_store_free(struct message_store **s);
bool message_store_up(const struct message_store *s);

/* m is copied. first: valid for STORE_DUPLICATE, all fields as they are in the
 * store by now, borrowed; else NULL. */
typedef void store_insert_cb(void *arg, enum store_result r,
			     const struct message *first);
void message_store_insert(struct message_store *s, const struct message *m,
			  store_insert_cb *cb, void *arg);

/* Greatest sentAt (ms) of this sender in this match; 0 when none. err 0 or
 * negative errno. (M0: `last` on first use.) */
typedef void store_last_cb(void *arg, int err, int64_t sent_at_ms);
void message_store_last_sent(struct message_store *s, const char *sender_id,
			     const char *match_id, store_last_cb *cb, void *arg);

/* Rows found or changed, in order of pos; borrowed until the callback returns.
 * err 0 or negative errno: -ENOTCONN and -EAGAIN nothing was sent, else the
 * outcome is unknown. */
typedef void store_rows_cb(void *arg, int err, const struct message *rows,
			   size_t n);

/* SET deliveredAt = at_ms, owe = 0, chg = chg WHERE id IN ids AND recipient =
 * recipient_id AND deliveredAt IS NULL. Reports the rows this call changed: id,
 * match_id, sender_id, recipient_id, src, pos, chg, delivered_at_ms and
 * read_at_ms; the rest is not set (content is empty, temp_id NULL). Calls of one loop turn, and
 * all that come while others are out, are grouped. ids are copied; what is no
 * id is left out. chg must differ from call to call. (M2) */
struct store_confirm {
	const char *recipient_id;
	int64_t at_ms;
	int64_t chg;
	const char (*ids)[MESSAGE_ID_LEN + 1];
	size_t n;
};
void message_store_delivered(struct message_store *s,
			     const struct store_confirm *c, store_rows_cb *cb,
			     void *arg);
/* SET readAt = at_ms, deliveredAt = coalesce(deliveredAt, at_ms), owe = 0,
 * chg = chg WHERE id IN ids AND match = match_id AND recipient = recipient_id
 * AND readAt IS NULL. Reports the rows this call changed; delivered_at_ms ==
 * at_ms on those that a read delivered. (M2: a read implies delivered) */
void message_store_read(struct message_store *s, const char *match_id,
			const struct store_confirm *c, store_rows_cb *cb,
			void *arg);

/* Fetch by ids, any order, missing ones left out. All fields set. Calls of one
 * loop turn, and all that come while others are out, are grouped. */
void message_store_get(struct message_store *s,
		       const char (*ids)[MESSAGE_ID_LEN + 1], size_t n,
		       store_rows_cb *cb, void *arg);
/* What a device was not sent (M5, M6): rows with recipient = user and not
 * delivered; when since is not 0 also those with recipient = user and pos >
 * since, and those with sender = user and pos > since. Each once, in order of
 * (pos, id), from behind (after_pos, after_id); at most limit of them, and none
 * behind the one with whose content they have bytes: limit rows, or bytes, mean
 * that there may be more. All fields set. Rows without pos are never among them.
 * Calls of one loop turn, and all that come while others are out, are grouped, for
 * 10,000 rows together. Strings are copied. */
struct store_missed {
	const char *user_id;
	int64_t since;			/* µs; 0: undelivered ones only */
	int64_t after_pos;		/* 0, "": from the start */
	char after_id[MESSAGE_ID_LEN + 1];
	unsigned limit;			/* 1 to 500 */
	size_t bytes;			/* 0: no bound but limit's */
};
void message_store_missed(struct message_store *s, const struct store_missed *q,
			  store_rows_cb *cb, void *arg);
/* Rows with sender = user, chg > since and delivered: what the receipts of a
 * time tell. In order of (chg, id), from behind (after_pos, after_id). Without
 * their content; bytes is not used. */
void message_store_receipts(struct message_store *s,
			    const struct store_missed *q, store_rows_cb *cb,
			    void *arg);
/* How many rows both of the above would report in all from since on (not 0),
 * counted up to max. */
typedef void store_count_cb(void *arg, int err, size_t n);
void message_store_missed_count(struct message_store *s, const char *user_id,
				int64_t since, size_t max, store_count_cb *cb,
				void *arg);
/* Rows whose push is due: owe not 0 and owe <= now_us, not delivered; in order
 * of owe, at most limit (1 to 500). All fields set. (M4) */
void message_store_due(struct message_store *s, int64_t now_us, unsigned limit,
		       store_rows_cb *cb, void *arg);
/* Not read among the newest 5,000 rows received by user: id, match_id, pos; the
 * rest is not set. (M9) */
void message_store_unread(struct message_store *s, const char *user_id,
			  store_rows_cb *cb, void *arg);
/* True when they are all that one of the above was to report, so that there may be
 * more. */
bool store_rows_full(const struct message *rows, size_t n, unsigned limit,
		     size_t bytes);
/* A page of history, for message:sync: of one match in order of (sentAt, id),
 * old rows without pos included. before and after bound it (exclusive): an id
 * of that match, or with id "" a time; at_ms 0 and id "": open. With after set
 * the page begins behind it, else it ends at before (or now): the newest limit
 * rows. It is no longer than bytes allow, as above, counted along with limit. Rows
 * come in rising order either way. An id that is not of this match is -ENOENT. All
 * fields set. */
struct store_bound {
	int64_t at_ms;
	char id[MESSAGE_ID_LEN + 1];
};
struct store_page {
	const char *match_id;
	struct store_bound before, after;
	unsigned limit;			/* 1 to 500 */
	size_t bytes;			/* 0: no bound but limit's */
};
void message_store_history(struct message_store *s, const struct store_page *p,
			   store_rows_cb *cb, void *arg);
/* What an operator should know of it, asked now: text says what it is, or what
 * is wrong with it, todo what to do about that ("": nothing). err as of the reads;
 * then both are "". Borrowed. */
typedef void store_look_cb(void *arg, int err, const char *text,
			   const char *todo);
void message_store_look(struct message_store *s, store_look_cb *cb, void *arg);
/* SET owe = owe_us WHERE id = id AND deliveredAt IS NULL AND owe <> 0 (M4).
 * err 0 whether or not the row still owed. Grouped as delivered: of two calls of
 * one turn for one id either may hold. */
void message_store_set_owe(struct message_store *s, const char *id,
			   int64_t owe_us, void (*cb)(void *arg, int err),
			   void *arg);

#endif
