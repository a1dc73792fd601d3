#include "tests/unit/chat/send_world.h"

#include "common/protocol/auth_token.h"
#include "common/queue/push_queue.h"
#include "worker/emitter.h"
#include "worker/unread_sets.h"

struct saw saw;
const struct match the_match = { "m1", "anna", "ben", true };

/* --- socket --- */
bool sio_send(struct sio_socket *k, struct slice frame)
{
	snprintf(saw.frames[saw.nframes++], 400, "%d %.*s", (int)(uintptr_t)k,
		 (int)frame.n, frame.p);
	return true;
}
bool sio_send_pieces(struct sio_socket *k, const struct slice *pieces, size_t n)
{
	char frame[400] = "";

	for (size_t i = 0; i < n; i++)
		strncat(frame, pieces[i].p, pieces[i].n);
	return sio_send(k, (struct slice){ frame, strlen(frame) });
}
void sio_ack(struct sio_socket *k, int64_t ack, struct slice json)
{
	snprintf(saw.frames[saw.nframes++], 400, "%d ack%d %.*s",
		 (int)(uintptr_t)k, (int)ack, (int)json.n, json.p);
}
uint32_t sio_mark(struct sio_socket *k)
{
	return (uint32_t)(uintptr_t)k;
}
int sio_restore(struct sio_socket *k, const char *s) { (void)k; (void)s; return 0; }
void sio_accept(struct sio_socket *k, const char *pid) { (void)k; (void)pid; }
void sio_refuse(struct sio_socket *k, const char *m)
{
	sio_refuse_data(k, m, "none");
}
void sio_refuse_data(struct sio_socket *k, const char *m, const char *json)
{
	snprintf(saw.frames[saw.nframes++], 400, "%d refused %s %s",
		 (int)(uintptr_t)k, m, json);
}
void sio_disconnect(struct sio_socket *k, enum close_reason w) { (void)k; (void)w; }
void sio_socket_attach(struct sio_socket *k, void *up) { (void)k; (void)up; }
const char *sio_socket_id(const struct sio_socket *k) { (void)k; return "sid"; }
struct eio_session *sio_socket_session(const struct sio_socket *k) { (void)k; return NULL; }
const char *eio_session_transport_name(const struct eio_session *s) { (void)s; return "fake"; }
const char *close_reason_name(enum close_reason r) { (void)r; return "fake"; }

/* --- store --- */
void message_store_insert(struct message_store *s, const struct message *m,
			  store_insert_cb *cb, void *arg)
{
	(void)s;
	saw.inserts[saw.ninserts] = message_dup(m);
	saw.insert_cb[saw.ninserts].cb = cb;
	saw.insert_cb[saw.ninserts++].arg = arg;
}
void message_store_last_sent(struct message_store *s, const char *sender,
			     const char *match, store_last_cb *cb, void *arg)
{
	(void)s;
	cr_expect_str_eq(sender, "anna");
	cr_expect_str_eq(match, "m1");
	saw.nlast++;
	saw.last.cb = cb;
	saw.last.arg = arg;
}
void message_store_get(struct message_store *s,
		       const char (*ids)[MESSAGE_ID_LEN + 1], size_t n,
		       store_rows_cb *cb, void *arg)
{
	(void)s; (void)ids; (void)cb; (void)arg;
	saw.ngets += (int)n;
}
void message_store_delivered(struct message_store *s, const struct store_confirm *q,
			     store_rows_cb *cb, void *arg)
{ (void)s; (void)q; (void)cb; (void)arg; }
void message_store_read(struct message_store *s, const char *m, const struct store_confirm *q,
			store_rows_cb *cb, void *arg)
{ (void)s; (void)m; (void)q; (void)cb; (void)arg; }
void message_store_set_owe(struct message_store *s, const char *id, int64_t owe,
			   void (*cb)(void *arg, int err), void *arg)
{ (void)s; (void)id; (void)owe; (void)cb; (void)arg; }

bool message_store_up(const struct message_store *s) { (void)s; return false; }
void message_store_due(struct message_store *s, int64_t now, unsigned limit,
		       store_rows_cb *cb, void *arg)
{ (void)s; (void)now; (void)limit; (void)cb; (void)arg; }
void message_store_unread(struct message_store *s, const char *u, store_rows_cb *cb, void *arg)
{ (void)s; (void)u; (void)cb; (void)arg; }

void message_store_missed(struct message_store *s, const struct store_missed *q,
			  store_rows_cb *cb, void *arg)
{ (void)s; (void)q; (void)cb; (void)arg; }
void message_store_receipts(struct message_store *s, const struct store_missed *q,
			    store_rows_cb *cb, void *arg)
{ (void)s; (void)q; (void)cb; (void)arg; }
void message_store_missed_count(struct message_store *s, const char *u, int64_t since,
				size_t max, store_count_cb *cb, void *arg)
{ (void)s; (void)u; (void)since; (void)max; (void)cb; (void)arg; }

/* --- directory --- */
void directory_match(struct directory *d, const char *id, directory_match_cb *cb,
		     void *arg)
{
	(void)d;
	if (saw.match_async) {
		saw.match.cb = cb;
		saw.match.arg = arg;
		return;
	}
	cb(arg, saw.match_err, saw.match_err == 0 && strcmp(id, "m1") == 0 ?
				       &the_match : NULL);
}
void directory_peers(struct directory *d, const char *u, directory_peers_cb *cb, void *arg)
{ (void)d; (void)u; (void)cb; (void)arg; }
void directory_name(struct directory *d, const char *u, directory_name_cb *cb, void *arg)
{ (void)d; (void)u; (void)cb; (void)arg; }
void directory_seen(struct directory *d, const char *u, int64_t at) { (void)d; (void)u; (void)at; }
void directory_message_at(struct directory *d, const char *m, int64_t at)
{
	(void)d; (void)m;
	saw.seen_message_at = at;
}

/* --- router, presence, queue, tokens --- */
void router_send(struct router *r, const struct envelope *e, enum router_extra x,
		 router_cb *cb, void *arg)
{
	(void)r;
	saw.routes[saw.nroutes].kind = e->kind;
	snprintf(saw.routes[saw.nroutes].user, 32, "%.*s", (int)e->user_id.n, e->user_id.p);
	saw.routes[saw.nroutes].extra = x;
	saw.routes[saw.nroutes].cb = cb;
	saw.routes[saw.nroutes++].arg = arg;
}
void router_send_many(struct router *r, const char *const *u, size_t n, struct slice e)
{ (void)r; (void)u; (void)n; (void)e; }
unsigned router_losses(const struct router *r) { (void)r; return 0; }
void router_made_good(struct router *r, unsigned lost) { (void)r; (void)lost; }
int64_t router_good_us(const struct router *r) { (void)r; return 0; }
void router_typing(struct router *r, const char *m, const char *u, bool t, const struct envelope *e)
{ (void)r; (void)m; (void)u; (void)t; (void)e; }
void router_read(struct router *r, const char *m, const char *u, const char (*ids)[25], size_t n)
{ (void)r; (void)m; (void)u; (void)ids; (void)n; }
void unread_sets_begin(struct redis *r, const char *u, const char *t, bool in_doubt,
		       unread_begun_cb *cb, void *arg)
{ (void)r; (void)u; (void)t; (void)in_doubt; (void)cb; (void)arg; }
void unread_sets_replace(struct redis *r, const char *u, const char *t,
			 const struct slice *pairs, size_t n, unread_replaced_cb *cb, void *arg)
{ (void)r; (void)u; (void)t; (void)pairs; (void)n; (void)cb; (void)arg; }
void presence_enter(struct presence *p, const char *u, const char *s,
		    void (*cb)(void *arg, int err), void *arg)
{ (void)p; (void)u; (void)s; (void)cb; (void)arg; }
void presence_online(struct presence *p, const char *const *u, size_t n,
		     presence_online_cb *cb, void *arg)
{ (void)p; (void)u; (void)n; (void)cb; (void)arg; }
void presence_leave(struct presence *p, const char *u) { (void)p; (void)u; }
void presence_lead(struct presence *p, const char *job, unsigned ms,
		   void (*cb)(void *arg, int err, bool yes), void *arg)
{ (void)p; (void)job; (void)ms; (void)cb; (void)arg; }
bool push_queue_up(const struct push_queue *q) { (void)q; return false; }
bool push_queue_durable(const struct push_queue *q) { (void)q; return false; }
void emitter_user(struct emitter *e, const char *u, bool here)
{ (void)e; (void)u; (void)here; }
void push_queue_add(struct push_queue *q, const char *k, const char *u, struct slice j,
		    push_add_cb *cb, void *arg)
{ (void)q; (void)k; (void)u; (void)j; (void)cb; (void)arg; }

/* --- the chat under test: anna on sockets 1 and 2, ben on 3 --- */
struct chat c;
struct device *anna1, *anna2, *ben;

struct device *device(const char *user, int socket)
{
	struct device *d = device_new(&c, &c.users, user,
				      (struct sio_socket *)(uintptr_t)socket);

	d->accepted = true;
	d->user->registered = true;
	return d;
}

void gone(struct device *d)
{
	char id[PW_ID_MAX + 1];

	catch_up_drop(d);
	device_gone(&c.users, d, id);
}

static void setup(void)
{
	clock_fake_set(1000000, 5000000000);
	c.loop = loop_new();
	c.conf = (struct chat_conf){ .src = "h:b:1", .content_max = 100,
				     .delivery_timeout_ms = 10000 };
	chat_init(&c);
	anna1 = device("anna", 1);
	anna2 = device("anna", 2);
}

static void teardown(void)
{
	for (int i = 0; i < saw.ninserts; i++)
		free(saw.inserts[i]);
	gone(anna2);
	if (anna1 != NULL)
		gone(anna1);
	if (ben != NULL)
		gone(ben);
	cr_expect_eq(c.ops, 0, "every send was answered");
	chat_free(&c);
	loop_free(&c.loop);
}

TestSuite(send, .init = setup, .fini = teardown, .timeout = 240);

void send_text(const char *match, const char *content, const char *temp_id,
	       int64_t ack)
{
	json_t *j = json_pack("{s:s, s:s, s:s*}", "matchId", match, "content",
			      content, "tempId", temp_id);

	ev_send(anna1, j, ack);
	json_decref(j);
}

void answer_last(int err, int64_t at)
{
	saw.last.cb(saw.last.arg, err, at);
}

void answer_insert(int i, enum store_result r, const struct message *first)
{
	saw.insert_cb[i].cb(saw.insert_cb[i].arg, r, first);
}

void answer_route(int i, int err, unsigned receivers, bool leaving)
{
	struct route_result r = { .receivers = receivers, .leaving = leaving };

	saw.routes[i].cb(saw.routes[i].arg, err, &r);
}

bool frame_has(int i, const char *prefix, const char *part)
{
	return strncmp(saw.frames[i], prefix, strlen(prefix)) == 0 &&
	       strstr(saw.frames[i], part) != NULL;
}
