#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/redis_conn.h"
#include "common/base/mem.h"
#include "common/loop/deadlines.h"

#define ARGV_ON_STACK 16

struct redis {
	struct redis_conn conn;
	struct deadlines deadlines;
	struct list refused;	/* calls never sent, to be told so */
	struct task tell_refused;
	redis_state_cb *state;
	void *arg;
	struct redis_script **scripts;
	size_t nscripts;
	bool freeing;
};

/* One per command. Sent: hiredis holds it until the reply; refused: on the
 * list (its deadline is never armed then). */
struct call {
	struct deadline due;
	struct list node;
	struct redis *redis;
	redis_cb *cb;		/* NULL: nobody asks */
	void *arg;
	struct eval *eval;	/* NULL: not a script, or its last try */
	bool answered;		/* past its deadline; the reply is for nobody */
};

/* Behind the call in the same allocation: a script's arguments, in case
 * Redis has lost it. */
struct eval {
	struct redis_script *script;
	int nkeys;
	int argc;
	struct slice argv[];
};

static void answer(struct call *call, int err, const redisReply *reply)
{
	if (call->cb != NULL && !call->answered)
		call->cb(call->arg, err, reply);
	call->answered = true;
}

static void refuse(struct redis *r, struct call *call)
{
	list_append(&r->refused, &call->node);
	loop_defer(r->conn.loop, &r->tell_refused);
}

static void tell_refused(void *arg)
{
	struct redis *r = arg;
	struct list now, *n;

	/* What is refused by these callbacks is for the next round. */
	list_init(&now);
	list_splice(&now, &r->refused);
	while ((n = list_shift(&now)) != NULL) {
		struct call *call = LIST_ENTRY(n, struct call, node);

		answer(call, r->freeing ? -ECANCELED : -ENOTCONN, NULL);
		free(call);
	}
}

/* A stalled server must not pile up calls: who waited long enough is told,
 * and the connection goes, with all the others, once this turn is over. */
static void on_deadline(struct deadline *d, void *arg)
{
	struct redis *r = arg;
	struct call *call = CONTAINER_OF(d, struct call, due);

	redis_conn_break(&r->conn, "no answer within %u ms",
			 r->conn.timeout_ms);
	answer(call, -ETIMEDOUT, NULL);
}

static bool again_with_text(struct call *call);

/* A server that became a replica (failover behind an address that stays)
 * keeps its connections; the new primary is found by connecting anew. */
static void watch_for_failover(struct redis *r, const redisReply *error)
{
	if (strncmp(error->str, "READONLY", 8) == 0)
		redis_conn_break(&r->conn, "%s", error->str);
}

static void on_reply(redisAsyncContext *ac, void *reply_arg, void *arg)
{
	const redisReply *reply = reply_arg;
	struct call *call = arg;
	struct redis *r = call->redis;

	deadline_drop(&call->due);
	if (reply == NULL) {
		/* hiredis goes down: redis_up() must say so in the callback */
		redis_conn_break(&r->conn, "%s",
				 ac->errstr != NULL ? ac->errstr : "");
		answer(call, r->freeing ? -ECANCELED : -ECONNRESET, NULL);
	} else if (reply->type == REDIS_REPLY_ERROR) {
		if (strncmp(reply->str, "NOSCRIPT", 8) == 0 &&
		    again_with_text(call))
			return;
		answer(call, -EREMOTEIO, reply);
		watch_for_failover(r, reply);
	} else {
		answer(call, 0, reply);
	}
	free(call);
}

static void submit(struct redis *r, struct call *call, int argc,
		   const struct slice *argv)
{
	if (r->conn.state != REDIS_CONN_UP ||
	    redis_conn_send(&r->conn, argc, argv, on_reply, call) != 0)
		refuse(r, call);
	else
		deadline_arm(&r->deadlines, &call->due);
}

static struct call *call_new(struct redis *r, size_t more, redis_cb *cb,
			     void *arg)
{
	struct call *call = mem_alloc(sizeof(*call) + more);

	*call = (struct call){ .redis = r, .cb = cb, .arg = arg };
	deadline_init(&call->due);
	list_init(&call->node);
	return call;
}

void redis_command(struct redis *r, int argc, const struct slice *argv,
		   redis_cb *cb, void *arg)
{
	submit(r, call_new(r, 0, cb, arg), argc, argv);
}

/* EVALSHA, or EVAL with the text, which also leaves the script loaded. */
static void submit_eval(struct redis *r, struct call *call,
			const struct redis_script *s, bool text, int nkeys,
			int argc, const struct slice *argv)
{
	struct slice on_stack[ARGV_ON_STACK + 3];
	struct slice *full = on_stack;
	char num[12];
	size_t digits = 0;

	if (argc > ARGV_ON_STACK)
		full = mem_alloc(((size_t)argc + 3) * sizeof(*full));
	do {
		num[sizeof(num) - ++digits] = (char)('0' + nkeys % 10);
		nkeys /= 10;
	} while (nkeys != 0);
	full[0] = text ? SLICE("EVAL") : SLICE("EVALSHA");
	full[1] = text ? slice_of(s->text) :
			 (struct slice){ s->sha, sizeof(s->sha) - 1 };
	full[2] = (struct slice){ num + sizeof(num) - digits, digits };
	if (argc > 0)
		memcpy(full + 3, argv, (size_t)argc * sizeof(*full));
	submit(r, call, argc + 3, full);
	if (full != on_stack)
		free(full);
}

/* NOSCRIPT: Redis was restarted empty or flushed its scripts, and has not
 * run this call. Sent again once, with the text, from here. So of the calls
 * in flight those that got NOSCRIPT run in the order they were made in, and
 * before everything that is submitted after the last of these answers; but
 * plain commands, and calls of other scripts, that were in flight with them
 * have run before them. Callers whose calls depend on one another put them
 * into one script. */
static bool again_with_text(struct call *call)
{
	struct eval *e = call->eval;

	if (e == NULL || call->answered)
		return false;
	call->eval = NULL;
	submit_eval(call->redis, call, e->script, true, e->nkeys, e->argc,
		    e->argv);
	return true;
}

void redis_eval(struct redis *r, struct redis_script *s, int nkeys, int argc,
		const struct slice *argv, redis_cb *cb, void *arg)
{
	size_t table = (size_t)argc * sizeof(*argv);
	size_t total = sizeof(struct eval) + table;
	struct call *call;
	char *p;

	for (int i = 0; i < argc; i++)
		total += argv[i].n;
	call = call_new(r, total, cb, arg);
	call->eval = (struct eval *)(call + 1);
	*call->eval = (struct eval){ s, nkeys, argc };
	p = (char *)call->eval->argv + table;
	for (int i = 0; i < argc; i++) {
		call->eval->argv[i] = (struct slice){ p, argv[i].n };
		if (argv[i].n > 0)
			memcpy(p, argv[i].p, argv[i].n);
		p += argv[i].n;
	}
	/* No hash yet: added a moment ago. */
	submit_eval(r, call, s, s->sha[0] == '\0', nkeys, argc, argv);
}

static void on_script_loaded(struct redis_conn *c, const redisReply *reply,
			     void *arg)
{
	struct redis_script *s = arg;

	if (reply->type == REDIS_REPLY_STRING &&
	    (size_t)reply->len == sizeof(s->sha) - 1)
		memcpy(s->sha, reply->str, sizeof(s->sha));
	else
		redis_conn_break(c, "SCRIPT LOAD: no hash for %s", s->name);
}

static void load_script(struct redis *r, struct redis_script *s)
{
	struct slice argv[] = { SLICE("SCRIPT"), SLICE("LOAD"),
				{ s->text, strlen(s->text) } };

	redis_conn_greet(&r->conn, 3, argv, on_script_loaded, s);
}

void redis_script_add(struct redis *r, struct redis_script *s)
{
	r->scripts = mem_realloc(r->scripts,
				 (r->nscripts + 1) * sizeof(struct redis_script *));
	r->scripts[r->nscripts++] = s;
	load_script(r, s);	/* not connected yet: on_greet() will */
}

static void on_greet(void *arg)
{
	struct redis *r = arg;

	for (size_t i = 0; i < r->nscripts; i++)
		load_script(r, r->scripts[i]);
}

static void on_greeted(void *arg)
{
	struct redis *r = arg;

	redis_conn_set_up(&r->conn);
}

static void on_state(void *arg, bool up)
{
	struct redis *r = arg;

	if (r->state != NULL)
		r->state(r->arg, up);
}

static const struct redis_conn_ops ops = { on_greet, on_greeted, on_state };

struct redis *redis_new(struct loop *l, const struct redis_conf *conf,
			redis_state_cb *state, void *arg)
{
	struct redis *r = mem_zalloc(sizeof(*r));

	r->state = state;
	r->arg = arg;
	list_init(&r->refused);
	task_init(&r->tell_refused, LOOP_WORK, tell_refused, r);
	deadlines_init(&r->deadlines, l, conf->timeout_ms, on_deadline, r);
	redis_conn_init(&r->conn, l, conf, &ops, r);
	return r;
}

void redis_free(struct redis **rp)
{
	struct redis *r = *rp;

	if (r == NULL)
		return;
	r->freeing = true;
	redis_conn_free(&r->conn);
	while (!list_empty(&r->refused))
		tell_refused(r);
	task_cancel(&r->tell_refused);
	deadlines_free(&r->deadlines);
	free(r->scripts);
	free(r);
	*rp = NULL;
}

bool redis_up(const struct redis *r)
{
	return r->conn.state == REDIS_CONN_UP;
}

bool redis_had_trouble(const struct redis *r)
{
	return r->conn.retry.trouble;
}
