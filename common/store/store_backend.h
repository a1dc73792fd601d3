/* What a backend is to the store: internal to common/store. The store keeps
 * the queues, the deadlines and the callers' callbacks; a backend carries out
 * one batch or one operation at a time and says how it went. Loop thread
 * only; a backend with threads delivers its answers on the loop.
 *
 * Everything handed to a backend stays valid until the backend calls
 * store_batch_done() or store_op_done() for it, which it does exactly once,
 * also for what is pending when it is closed, and possibly before the call
 * that handed it over returns. It must do so even when nobody waits any more
 * (due_us is past), within a small multiple of the configured timeout. */
#ifndef PW_STORE_BACKEND_H
#define PW_STORE_BACKEND_H

#include "common/store/message.h"
#include "common/store/message_store.h"

enum store_op_kind {
	OP_LAST_SENT, OP_DELIVERED, OP_READ, OP_GET, OP_SET_OWE,
	/* The reads of message_store.h; none changes a row. */
	OP_MISSED, OP_RECEIPTS, OP_MISSED_COUNT, OP_DUE, OP_UNREAD, OP_HISTORY,
	OP_LOOK, OP__COUNT
};

/* Rows read or changed; owns copies. Zero-initialised is empty. */
struct store_rows {
	struct message *v;	/* strings belong to owned[] */
	unsigned *call;		/* which of store_op.calls changed v[i] */
	struct message **owned;
	size_t n;
	size_t cap;
};
void store_rows_add(struct store_rows *r, const struct message *m,
		    unsigned call);
/* Row i of another, which keeps its place there but no longer its strings. */
void store_rows_move(struct store_rows *to, struct store_rows *from, size_t i,
		     unsigned call);
/* In the order that message_store.h says for an operation of this kind: a
 * backend may report rows in any. Not before they are grouped: call[] stays. */
void store_rows_sort(struct store_rows *r, enum store_op_kind kind);
void store_rows_free(struct store_rows *r);

enum store_row_state {
	ROW_UNKNOWN,	/* nobody knows */
	ROW_STORED,	/* durable, by this batch */
	ROW_PRESENT,	/* the id was there: found is the row of that id */
	ROW_REFUSED,	/* this row cannot be stored */
	ROW_FAILED,	/* not stored, through no fault of its own */
};

struct store_row {
	const struct message *m;
	enum store_row_state state;	/* ROW_UNKNOWN when handed over */
	struct message *found;		/* from message_dup(); ours to free */
};

struct store_batch {
	unsigned lane;
	struct store_row *rows;		/* in order of id, each id once */
	size_t n;
	int64_t due_us;			/* monotonic */
};
/* err 0: each row's state is set. -EINVAL: nothing was stored because of one
 * or more unsuitable rows, which the store finds by halving. -ENOTCONN (never
 * sent), -EAGAIN: nothing was stored. Any other, and ROW_UNKNOWN: perhaps it
 * was; then what waits in the lane is refused as well, unsent. */
void store_batch_done(struct store_batch *b, int err);

/* Newest rows of a user that OP_UNREAD looks at. */
#define STORE_UNREAD_SCAN 5000

struct store_owe {
	char id[MESSAGE_ID_LEN + 1];
	int64_t owe_us;
};

struct store_look {
	char text[256];
	char todo[256];
};

struct store_op {
	enum store_op_kind kind;
	int64_t due_us;			/* monotonic */
	const char *sender_id;		/* LAST_SENT */
	const char *match_id;		/* LAST_SENT, READ */
	const struct store_confirm *calls;	/* DELIVERED: one or more, READ: one */
	size_t ncalls;
	const char (*ids)[MESSAGE_ID_LEN + 1];	/* GET: each once, in order */
	size_t nids;
	const struct store_owe *owes;	/* SET_OWE: one or more, by id */
	size_t nowes;
	const struct store_missed *missed;	/* MISSED: one or more */
	size_t nmissed;
	const struct store_missed *one;	/* RECEIPTS, MISSED_COUNT (user, since) */
	size_t max;			/* MISSED_COUNT */
	const char *user_id;		/* UNREAD */
	int64_t now_us;			/* DUE */
	unsigned limit;			/* DUE */
	const struct store_page *page;	/* HISTORY */
	/* The backend's answer. */
	int64_t sent_at_ms;		/* LAST_SENT */
	size_t count;			/* MISSED_COUNT */
	struct store_look *look;	/* LOOK: to be filled; the request's */
	struct store_rows rows;		/* all others; of MISSED, call says for
					 * which of missed[] */
};
/* err 0, or negative errno: -ENOTCONN nothing was sent, else unknown. */
void store_op_done(struct store_op *op, int err);

/* All ids of an operation's calls in order of id; the caller frees *rows_out.
 * An id that several calls name comes once for each, in their order. */
struct store_confirm_row {
	const char *id;
	unsigned call;
};
void store_confirm_rows(const struct store_op *op,
			struct store_confirm_row **rows_out, size_t *n_out);

struct store_backend {
	/* NULL with a text in err when the URL is unusable. conf is borrowed;
	 * state(arg, up) on each change, never before this returns. */
	void *(*open)(struct loop *l, const struct message_store_conf *conf,
		      void (*state)(void *arg, bool up), void *arg,
		      char err[256]);
	void (*close)(void *be);
	void (*insert)(void *be, struct store_batch *b);
	void (*run)(void *be, struct store_op *op);
};

extern const struct store_backend store_pg;
extern const struct store_backend store_mongo;

#endif
