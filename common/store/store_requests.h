/* Everything but inserts, for both backends: each request is admitted or
 * refused, has a deadline, is handed over at the end of the loop's turn and
 * answered once. Those of a kind of which one statement serves many go out in
 * groups: what comes while a group is out is the next one. Internal to
 * common/store; for callbacks see message_store.h. */
#ifndef PW_STORE_REQUESTS_H
#define PW_STORE_REQUESTS_H

#include "common/base/list.h"
#include "common/loop/deadlines.h"
#include "common/store/store_backend.h"

struct store_requests;

struct store_requests_conf {
	unsigned timeout_ms;
	void (*run)(void *arg, struct store_op *op);
	void *arg;
};

/* One call, from its start to the backend's answer; its caller may be answered
 * before that, by the deadline. The caller of store_request_new() sets cb, what
 * its kind needs of op, and the strings, which are freed with it. */
struct store_request {
	union {
		store_last_cb *last;
		store_rows_cb *rows;
		store_count_cb *count;
		store_look_cb *look;
		void (*done)(void *arg, int err);
	} cb;
	struct store_op op;
	struct store_confirm call;
	struct store_missed missed;
	struct store_owe owe;
	struct store_page page;
	char *match_id;
	char *user_id;
	/* Private. */
	struct list node;	/* all of them */
	struct list wait;	/* not yet with the backend */
	struct deadline due;
	struct store_requests *s;
	void *arg;
	bool answered;
	bool early;		/* answered without the backend, with: */
	int early_err;
	size_t bytes;		/* counted in s->bytes */
	char (*ids)[MESSAGE_ID_LEN + 1];
	size_t nids;
};

struct store_requests *store_requests_new(struct loop *l,
					  const struct store_requests_conf *conf);
/* nids: how many ids store_request_ids() will be given at most. */
struct store_request *store_request_new(struct store_requests *s,
					enum store_op_kind kind, size_t nids,
					void *arg);
/* Copies them to op.ids, without those that no row can have. Without any left
 * the request is answered with nothing found. */
void store_request_ids(struct store_request *q,
		       const char (*ids)[MESSAGE_ID_LEN + 1], size_t n);
/* It is answered with err, and not handed over. */
void store_request_refuse(struct store_request *q, int err);
void store_request_start(struct store_request *q);

/* Answers everything with -ECANCELED, also what the callbacks start meanwhile.
 * What the backend holds is left to it. False: there was nothing. */
bool store_requests_cancel(struct store_requests *s);
/* After store_requests_cancel() and the last store_op_done(). NULLs *s. */
void store_requests_free(struct store_requests **s);

#endif
