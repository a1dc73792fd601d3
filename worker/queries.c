#include "worker/queries.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/ipc_messages.h"
#include "common/protocol/auth_key.h"
#include "common/protocol/auth_token.h"
#include "worker/chat/chat.h"
#include "worker/chat/connect.h"
#include "worker/check.h"
#include "worker/presence.h"
#include "worker/router.h"

/* Open at a time; more than a master has clients on its control socket. */
#define ASKS_MAX 256
#define TOKEN_S 3600
/* Of a user's devices so many are listed: they fit into an answer. */
#define DEVICES_MAX 500

struct worker_queries {
	struct worker_queries_conf conf;
	struct list open;
	unsigned nopen;
};

/* A question that waits for its answer. */
struct ask {
	struct list node;
	struct worker_queries *all;
	uint32_t id;
	json_t *question;
	const char *arg;	/* the first argument, or "" */
	/* disconnect_elsewhere: */
	unsigned waiting;	/* for so many answers of Redis */
	int err;
	size_t here, elsewhere;	/* instances that hold the user */
	size_t receivers;	/* told, here and elsewhere */
};

/* answer is taken. */
static void send_answer(const struct worker_queries *all, uint32_t id,
			json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT);
	struct slice out = SLICE("{\"error\":\"its answer is too long\"}");

	if (text != NULL &&
	    strlen(text) <= IPC_TEXT_MAX - sizeof(struct ipc_query))
		out = slice_of(text);
	all->conf.answer(all->conf.arg, id, out);
	free(text);
	json_decref(answer);
}

static void ask_free(struct ask *a)
{
	list_remove(&a->node);
	a->all->nopen--;
	json_decref(a->question);
	free(a);
}

static void ask_answer(struct ask *a, json_t *answer)
{
	send_answer(a->all, a->id, answer);
	ask_free(a);
}

static json_t *error_json(const char *why)
{
	return json_pack("{s:s}", "error", why);
}

static const char *redis_trouble(int err)
{
	return err == -ENOTCONN ? "Redis is not reachable" :
				  "Redis does not answer";
}

/* "host:boot:instance": is it of this host? *host_out: its length. */
static bool same_host(const struct ask *a, const char *name, size_t *host_out)
{
	const char *ours = a->all->conf.chat->conf.src;
	const char *names[] = { name, ours };
	size_t n[2];

	for (int i = 0; i < 2; i++) {
		n[i] = strlen(names[i]);
		for (int colons = 0; n[i] > 0 && colons < 2; )
			colons += names[i][--n[i]] == ':';
	}
	*host_out = n[0];
	return n[0] == n[1] && memcmp(name, ours, n[0]) == 0;
}

/* --- user, disconnect, token: known here --- */

static void ask_user(struct ask *a)
{
	size_t more;
	json_t *devices = chat_user_devices(a->all->conf.chat, a->arg,
					    DEVICES_MAX, &more);

	ask_answer(a, json_pack("{s:o, s:I}", "devices", devices, "more",
				(json_int_t)more));
}

static void ask_disconnect(struct ask *a)
{
	unsigned n = connect_close_user(a->all->conf.chat, slice_of(a->arg));

	if (n > 0)
		log_info("disconnected by the operator user=%s devices=%u",
			 a->arg, n);
	ask_answer(a, json_pack("{s:i}", "closed", (int)n));
}

static void ask_token(struct ask *a)
{
	const struct auth_key *key = a->all->conf.chat->key;
	int64_t now = clock_wall_us() / 1000000;
	struct auth_claims claims;
	char *token;

	if (auth_key_bits(key) != 0) {
		ask_answer(a, error_json("signing a token needs a jwt_secret; here "
					 "there is a public key, by which tokens "
					 "can only be checked"));
		return;
	}
	token = auth_token_sign(key, a->arg, now, now + TOKEN_S);
	if (token == NULL)
		ask_answer(a, error_json("the token could not be made"));
	else if (auth_token_verify(key, token, now, 0, &claims) != 0)
		ask_answer(a, error_json("that is no user's id: 1 to 128 bytes "
					 "without control characters"));
	else
		ask_answer(a, json_pack("{s:s, s:s, s:I}", "token", token,
					"user", a->arg, "expires_at",
					(json_int_t)claims.expires_at_s));
	free(token);
}

/* --- disconnect_elsewhere: Redis knows --- */

/* The other workers of this host have been told by the master, and again now;
 * who was told beyond them is elsewhere. */
static void elsewhere_done(struct ask *a, int err)
{
	size_t told = a->receivers > a->here ? a->receivers - a->here : 0;

	if (a->err == 0)
		a->err = err;
	if (--a->waiting > 0)
		return;
	if (a->err != 0) {
		ask_answer(a, json_pack("{s:s}", "elsewhere_unknown",
					redis_trouble(a->err)));
		return;
	}
	if (told > a->elsewhere)
		told = a->elsewhere;
	ask_answer(a, json_pack("{s:i, s:i}", "instances", (int)told, "deaf",
				(int)(a->elsewhere - told)));
}

static void on_holders(void *arg, int err, const char *const *names, size_t n)
{
	struct ask *a = arg;
	size_t len;

	for (size_t i = 0; i < n; i++) {
		if (!same_host(a, names[i], &len))
			a->elsewhere++;
		else if (strcmp(names[i], a->all->conf.chat->conf.src) != 0)
			a->here++;
	}
	elsewhere_done(a, err);
}

static void on_told(void *arg, int err, const struct route_result *r)
{
	struct ask *a = arg;

	a->receivers = r->receivers;
	elsewhere_done(a, err);
}

/* Both in one turn on one connection: hardly anybody comes or goes in between. */
static void ask_disconnect_elsewhere(struct ask *a)
{
	const struct envelope e = { .kind = ENV_DISCONNECT,
				    .user_id = slice_of(a->arg) };
	const struct chat *c = a->all->conf.chat;

	a->waiting = 2;
	presence_holders(c->presence, a->arg, on_holders, a);
	router_send(c->router, &e, ROUTE_PLAIN, on_told, a);
}

/* --- hosts: Redis knows --- */

static bool is_listed(const json_t *list, const char *name, size_t n)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);

		if (json_string_length(v) == n &&
		    memcmp(json_string_value(v), name, n) == 0)
			return true;
	}
	return false;
}

static void on_instances(void *arg, int err, const char *const *names, size_t n)
{
	struct ask *a = arg;
	json_t *hosts;
	size_t len;

	if (err != 0) {
		ask_answer(a, json_pack("{s:s}", "unknown", redis_trouble(err)));
		return;
	}
	hosts = json_array();
	for (size_t i = 0; i < n; i++)
		if (!same_host(a, names[i], &len) && len > 0 &&
		    !is_listed(hosts, names[i], len))
			json_array_append_new(hosts, json_stringn(names[i], len));
	ask_answer(a, json_pack("{s:o}", "hosts", hosts));
}

static void ask_hosts(struct ask *a)
{
	presence_instances(a->all->conf.chat->presence, on_instances, a);
}

static void on_checked(void *arg, json_t *rows)
{
	ask_answer(arg, json_pack("{s:o}", "checks", rows));
}

static void ask_check(struct ask *a)
{
	worker_check(a->all->conf.chat, on_checked, a);
}

static void ask_taken(struct ask *a)
{
	const char *why = a->all->conf.not_taken(a->all->conf.arg, a->arg);

	ask_answer(a, why != NULL ? error_json(why) : json_object());
}

static const struct {
	const char *name;
	bool user;		/* its argument is a user's id */
	void (*fn)(struct ask *a);
} table[] = {
	{ "user", true, ask_user },
	{ "disconnect", true, ask_disconnect },
	{ "disconnect_elsewhere", true, ask_disconnect_elsewhere },
	{ "token", true, ask_token },
	{ "hosts", false, ask_hosts },
	{ "check", false, ask_check },
	{ "taken", false, ask_taken },
};

static void dispatch(struct ask *a)
{
	const char *cmd = json_string_value(json_object_get(a->question, "cmd"));
	const char *arg = json_string_value(
		json_array_get(json_object_get(a->question, "args"), 0));
	size_t n = arg != NULL ? strlen(arg) : 0;

	a->arg = arg != NULL ? arg : "";
	for (size_t i = 0; cmd != NULL && i < ARRAY_SIZE(table); i++) {
		if (strcmp(table[i].name, cmd) != 0)
			continue;
		if (table[i].user && (n == 0 || n > PW_ID_MAX))
			ask_answer(a, error_json("that is no user's id: 1 to "
						 "128 bytes"));
		else
			table[i].fn(a);
		return;
	}
	ask_answer(a, error_json("unknown query"));
}

void worker_queries_ask(struct worker_queries *q, uint32_t id,
			struct slice json)
{
	struct ask *a;

	if (q->nopen >= ASKS_MAX) {
		send_answer(q, id, error_json("too many questions at once"));
		return;
	}
	a = mem_zalloc(sizeof(*a));
	a->all = q;
	a->id = id;
	a->question = json_loadb(json.p, json.n, 0, NULL);
	list_append(&q->open, &a->node);
	q->nopen++;
	dispatch(a);
}

struct worker_queries *worker_queries_new(const struct worker_queries_conf *conf)
{
	struct worker_queries *q = mem_zalloc(sizeof(*q));

	q->conf = *conf;
	list_init(&q->open);
	return q;
}

void worker_queries_free(struct worker_queries **qp)
{
	struct worker_queries *q = *qp;
	struct list *n;

	if (q == NULL)
		return;
	while ((n = list_first(&q->open)) != NULL)
		ask_free(LIST_ENTRY(n, struct ask, node));
	free(q);
	*qp = NULL;
}
