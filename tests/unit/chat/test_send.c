/* message:send with everything around it faked: the order of a stream, what is
 * asked of whom, and who is told what. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "common/protocol/auth_token.h"
#include "common/queue/push_queue.h"
#include "common/store/message_store.h"
#include "worker/chat/catch_up_impl.h"
#include "worker/directory.h"
#include "worker/emitter.h"
#include "worker/unread_sets.h"

#define MAX 64

/* --- what the fakes saw --- */
static struct {
	char frames[MAX][400];		/* sio_send and sio_ack, in order */
	int nframes;
	struct message *inserts[MAX];
	struct {
		store_insert_cb *cb;
		void *arg;
	} insert_cb[MAX];
	int ninserts;
	struct {
		store_last_cb *cb;
		void *arg;
	} last;
	int nlast;
	struct {
		directory_match_cb *cb;
		void *arg;
	} match;
	bool match_async;
	int match_err;
	struct {
		enum envelope_kind kind;
		char user[32];
		enum router_extra extra;
		router_cb *cb;
		void *arg;
	} routes[MAX];
	int nroutes;
	int ngets;
	int64_t seen_message_at;
} saw;

static const struct match the_match = { "m1", "anna", "ben", true };

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
void message_store_delivered(struct message_store *s, const struct store_confirm *c,
			     store_rows_cb *cb, void *arg)
{ (void)s; (void)c; (void)cb; (void)arg; }
void message_store_read(struct message_store *s, const char *m, const struct store_confirm *c,
			store_rows_cb *cb, void *arg)
{ (void)s; (void)m; (void)c; (void)cb; (void)arg; }
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
void emitter_user(struct emitter *e, const char *u, bool here)
{ (void)e; (void)u; (void)here; }
void push_queue_add(struct push_queue *q, const char *k, const char *u, struct slice j,
		    push_add_cb *cb, void *arg)
{ (void)q; (void)k; (void)u; (void)j; (void)cb; (void)arg; }

/* --- the chat under test: anna on sockets 1 and 2, ben on 3 --- */
static struct chat c;
static struct device *anna1, *anna2, *ben;

static struct device *device(const char *user, int socket)
{
	struct device *d = device_new(&c, &c.users, user,
				      (struct sio_socket *)(uintptr_t)socket);

	d->accepted = true;
	d->user->registered = true;
	return d;
}

/* As connect_gone() */
static void gone(struct device *d)
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

TestSuite(send, .init = setup, .fini = teardown, .timeout = 10);

static void send_text(const char *match, const char *content, const char *temp_id,
		      int64_t ack)
{
	json_t *j = json_pack("{s:s, s:s, s:s*}", "matchId", match, "content",
			      content, "tempId", temp_id);

	ev_send(anna1, j, ack);
	json_decref(j);
}

static void answer_last(int err, int64_t at)
{
	saw.last.cb(saw.last.arg, err, at);
}

static void answer_insert(int i, enum store_result r, const struct message *first)
{
	saw.insert_cb[i].cb(saw.insert_cb[i].arg, r, first);
}

static void answer_route(int i, int err, unsigned receivers, bool leaving)
{
	struct route_result r = { .receivers = receivers, .leaving = leaving };

	saw.routes[i].cb(saw.routes[i].arg, err, &r);
}

static bool frame_has(int i, const char *prefix, const char *part)
{
	return strncmp(saw.frames[i], prefix, strlen(prefix)) == 0 &&
	       strstr(saw.frames[i], part) != NULL;
}

Test(send, held_until_the_match_and_last_are_known)
{
	saw.match_async = true;
	send_text("m1", "one", "a", SIO_NO_ACK);
	send_text("m1", "two", "b", SIO_NO_ACK);
	cr_expect_eq(saw.ninserts, 0);
	saw.match_async = false;
	saw.match.cb(saw.match.arg, 0, &the_match);
	cr_expect_eq(saw.nlast, 1, "one query for the stream's first use");
	cr_expect_eq(saw.ninserts, 0);
	send_text("m1", "three", "c", SIO_NO_ACK);
	answer_last(0, 5000000 + 50);	/* ahead of our clock by 50 ms */
	cr_assert_eq(saw.ninserts, 3);
	for (int i = 0; i < 3; i++) {
		const char *const want[] = { "one", "two", "three" };
		const struct message *m = saw.inserts[i];

		cr_expect_eq(strncmp(m->content.p, want[i], m->content.n), 0);
		cr_expect_eq(m->sent_at_ms, 5000051 + i, "after what was sent");
		cr_expect_str_eq(m->recipient_id, "ben");
		cr_expect_eq(m->owe, m->pos + 10000000);
		cr_expect_eq(m->chg, m->pos);
		cr_expect_str_eq(m->src, "h:b:1");
	}
	cr_expect_lt(saw.inserts[0]->pos, saw.inserts[1]->pos);
	cr_expect_eq(saw.nframes, 0, "nothing is said before it is durable");
	for (int i = 0; i < 3; i++)
		answer_insert(i, STORE_UNAVAILABLE, NULL);
}

Test(send, a_stranger_costs_no_store_query)
{
	send_text("m2", "hi", "a", 7);
	cr_expect_eq(saw.nlast, 0);
	cr_assert_eq(saw.nframes, 2);
	cr_expect(frame_has(0, "1 42[\"error\"", "\"code\":\"INVALID_MATCH\""));
	cr_expect(frame_has(0, "1 ", "\"tempId\":\"a\""));
	cr_expect_eq(stats_get(STAT_messages_failed), 0);
	cr_expect(frame_has(1, "1 ack7 {\"ok\":false", "INVALID_MATCH"));
}

Test(send, unknown_match_is_never_called_invalid)
{
	saw.match_err = -EAGAIN;
	send_text("m1", "hi", "a", SIO_NO_ACK);
	cr_assert_eq(saw.nframes, 1);
	cr_expect(frame_has(0, "1 42[\"error\"", "SERVICE_UNAVAILABLE"));
	cr_expect_eq(stats_get(STAT_messages_failed), 1);
}

Test(send, last_unknown_refuses_all_that_wait)
{
	send_text("m1", "one", "a", SIO_NO_ACK);
	send_text("m1", "two", "b", SIO_NO_ACK);
	answer_last(-ETIMEDOUT, 0);
	cr_assert_eq(saw.nframes, 2);
	cr_expect(frame_has(0, "1 42[\"error\"", "\"tempId\":\"a\""));
	cr_expect(frame_has(1, "1 42[\"error\"", "\"tempId\":\"b\""));
	cr_expect_eq(saw.ninserts, 0);
}

Test(send, stored_is_told_and_routed)
{
	ben = device("ben", 3);
	send_text("m1", "hi", "a", 4);
	answer_last(0, 0);
	answer_insert(0, STORE_OK, NULL);
	cr_assert_eq(saw.nframes, 4);
	cr_expect(frame_has(0, "1 42[\"message:sent\"", "\"tempId\":\"a\""));
	cr_expect(frame_has(1, "1 ack4 {\"ok\":true", "\"messageId\""));
	cr_expect(frame_has(2, "3 42[\"message:new\"", "\"content\":\"hi\""));
	cr_expect_null(strstr(saw.frames[2], "tempId"));
	cr_expect(frame_has(3, "2 42[\"message:new\"", "\"tempId\":\"a\""),
		  "the sender's other device, not the asking one");
	cr_assert_eq(saw.nroutes, 2);
	cr_expect_eq(saw.routes[0].kind, ENV_MESSAGE);
	cr_expect_str_eq(saw.routes[0].user, "ben");
	cr_expect_eq(saw.routes[0].extra, ROUTE_UNREAD);
	cr_expect_eq(saw.routes[1].kind, ENV_OWN_COPY);
	cr_expect_str_eq(saw.routes[1].user, "anna");
	cr_expect_eq(device_pending_count(ben), 1);
	cr_expect_eq(saw.seen_message_at, saw.inserts[0]->sent_at_ms);
	answer_route(0, 0, 0, false);
	cr_expect(list_empty(&c.due), "ben has it here: no push");
}

Test(send, recipient_who_is_just_connecting_counts_as_present)
{
	ben = device("ben", 3);
	ben->accepted = false;
	ben->user->registered = false;
	send_text("m1", "one", "a", SIO_NO_ACK);
	answer_last(0, 0);
	answer_insert(0, STORE_OK, NULL);
	cr_expect_eq(device_pending_count(ben), 0, "it is in the store for him");
	answer_route(0, 0, 0, false);
	cr_expect(list_empty(&c.due));
}

Test(send, what_was_sent_before_is_not_sent_again)
{
	struct envelope e = {
		.kind = ENV_MESSAGE, .user_id = SLICE("ben"),
		.event = SLICE("42[\"x\"]"),
		.id = SLICE("0123456789abcdef01234567"),
		.match_id = SLICE("m1"), .sender_id = SLICE("anna"),
		.src = SLICE("h:b:2"), .pos = 4000000000,
	};

	ben = device("ben", 3);
	chat_deliver(&c, &e);
	chat_deliver(&c, &e);
	cr_assert_eq(saw.nframes, 1);
	cr_expect_eq(device_pending_count(ben), 1);
	e.pos--;
	chat_deliver(&c, &e);
	cr_expect_eq(saw.nframes, 1, "his stream was sent further");
	e.pos = 4000000001;
	chat_deliver(&c, &e);
	e.src = SLICE("h:b:3");
	e.pos = 1;
	e.id = SLICE("0123456789abcdef01234568");
	chat_deliver(&c, &e);
	cr_expect_eq(saw.nframes, 3, "another stream");
	cr_expect(frame_has(2, "3 42[\"x\",\"1.", "\"]"));
}

Test(send, last_is_asked_again_after_another_stay)
{
	send_text("m1", "one", "a", SIO_NO_ACK);
	answer_last(0, 0);
	answer_insert(0, STORE_UNAVAILABLE, NULL);
	send_text("m1", "two", "b", SIO_NO_ACK);
	cr_expect_eq(saw.nlast, 1);
	answer_insert(1, STORE_UNAVAILABLE, NULL);
	gone(anna1);
	gone(anna2);
	anna1 = device("anna", 1);
	anna2 = device("anna", 2);
	send_text("m1", "three", "c", SIO_NO_ACK);
	cr_assert_eq(saw.nlast, 2, "he may have sent elsewhere meanwhile");
	answer_last(0, 6000000);
	cr_assert_eq(saw.ninserts, 3);
	cr_expect_eq(saw.inserts[2]->sent_at_ms, 6000001);
	answer_insert(2, STORE_UNAVAILABLE, NULL);
}

Test(send, waiting_events_of_one_client_are_bounded)
{
	char big[90];
	int n = 0;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	saw.match_async = true;
	while (saw.nframes == 0 && n < 100000) {
		send_text("m1", big, NULL, SIO_NO_ACK);
		n++;
	}
	cr_expect(frame_has(0, "1 42[\"error\"", "RATE_LIMITED"));
	cr_expect_gt(n, 1000);
	cr_expect_leq(n, 8193);
	saw.nframes = 0;
	saw.match_async = false;
	c.down = true;		/* the first is answered, the rest refused */
	gone(anna1);
	anna1 = NULL;
	saw.match.cb(saw.match.arg, -EAGAIN, NULL);
	cr_expect_eq(c.ops, 0);
}

/* {receivers, leaving, err} -> is a push due at once? */
static const struct {
	unsigned receivers;
	bool leaving;
	int err;
	bool due;
} offline[] = {
	{ 0, false, 0, true },
	{ 0, true, 0, false },		/* within his grace */
	{ 1, false, 0, false },
	{ 0, false, -ENOTCONN, false },	/* Redis cannot say: it stays owing */
};

Test(send, push_is_due_when_nobody_is_there)
{
	for (size_t i = 0; i < ARRAY_SIZE(offline); i++) {
		char temp_id[8];

		snprintf(temp_id, sizeof(temp_id), "t%zu", i);
		send_text("m1", "hi", temp_id, SIO_NO_ACK);
		if (i == 0)
			answer_last(0, 0);
		answer_insert((int)i, STORE_OK, NULL);
		answer_route((int)i * 2, offline[i].err, offline[i].receivers,
			     offline[i].leaving);
		answer_route((int)i * 2 + 1, offline[i].err, 0, false);
		cr_expect_eq(!list_empty(&c.due), offline[i].due, "%zu", i);
		while (!list_empty(&c.due))
			free(list_shift(&c.due));
	}
}

Test(send, duplicate_is_answered_with_the_first_and_not_routed)
{
	struct message first = { .id = "0123456789abcdef01234567",
				 .sent_at_ms = 4999000 };

	send_text("m1", "hi", "a", SIO_NO_ACK);
	answer_last(0, 0);
	answer_insert(0, STORE_DUPLICATE, &first);
	cr_assert_eq(saw.nframes, 1);
	cr_expect(frame_has(0, "1 42[\"message:sent\"", first.id));
	cr_expect(frame_has(0, "1 ", "1970-01-01T01:23:19.000Z"));
	cr_expect_eq(saw.nroutes, 0);
}

/* Its outcome was unknown before: the devices of both are sent to the store. What
 * is before it in its stream may wait for Redis: a copy would overtake that. */
Test(send, what_a_resend_found_may_be_news)
{
	static const struct {
		const char *src;
		int64_t delivered_ms, owe;
		bool news;
	} rows[] = {
		{ "h:b:0", 0, INT64_MAX, true },
		{ "h:b:1", 0, 1, true },
		{ "h:b:1", 0, INT64_MAX, false },
		{ "h:b:0", 1, INT64_MAX, false },
		{ "h:b:0", 0, 0, false },
	};
	struct message first = { .id = "0123456789abcdef01234567",
				 .match_id = "m1", .sender_id = "anna",
				 .recipient_id = "ben", .content = { "hi", 2 },
				 .type = MSG_TEXT };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int before = saw.nroutes, frames = saw.nframes;

		first.src = rows[i].src;
		first.delivered_at_ms = rows[i].delivered_ms;
		first.owe = rows[i].owe;
		first.sent_at_ms = 6000000 + (int64_t)i;
		first.pos = cluster_now_us() + (int64_t)i;
		send_text("m1", "hi", "a", SIO_NO_ACK);
		if (i == 0)
			answer_last(0, 0);
		answer_insert((int)i, STORE_DUPLICATE, &first);
		cr_expect_eq(saw.nroutes, before + (rows[i].news ? 2 : 0), "%zu", i);
		cr_expect(frame_has(frames, "1 42[\"message:sent\"", first.id));
		if (!rows[i].news)
			continue;
		cr_expect_eq(saw.routes[before].kind, ENV_CATCH_UP);
		cr_expect_str_eq(saw.routes[before].user, "ben");
		cr_expect_eq(saw.routes[before + 1].kind, ENV_CATCH_UP);
		cr_expect_str_eq(saw.routes[before + 1].user, "anna");
		cr_expect_eq(saw.nframes, frames + 1);
		cr_expect_not_null(anna2->catch_up);
		cr_expect_eq(anna1->catch_up->nsent, i + 1, "it was answered");
	}
	cr_expect(list_empty(&c.due), "the sweep queues what is overdue");
	catch_up_drop(anna1);
	catch_up_drop(anna2);
}

Test(send, clash_and_refusal_have_their_codes)
{
	send_text("m1", "hi", "a", SIO_NO_ACK);
	answer_last(0, 0);
	answer_insert(0, STORE_CLASH, NULL);
	send_text("m1", "hi", "b", SIO_NO_ACK);
	answer_insert(1, STORE_REFUSED, NULL);
	cr_assert_eq(saw.nframes, 2);
	cr_expect(frame_has(0, "1 ", "INVALID_PAYLOAD"));
	cr_expect(frame_has(1, "1 ", "MESSAGE_SEND_FAILED"));
	cr_expect_eq(saw.nroutes, 0);
	cr_expect_eq(stats_get(STAT_messages_failed), 2);
}

/* Whether it is there is not known: devices must not take it for a repeat of
 * what is sent after it. */
Test(send, an_unknown_outcome_begins_a_new_src)
{
	send_text("m1", "one", "a", SIO_NO_ACK);
	answer_last(0, 0);
	send_text("m1", "two", "b", SIO_NO_ACK);
	answer_insert(0, STORE_UNAVAILABLE, NULL);
	answer_insert(1, STORE_UNAVAILABLE, NULL);
	send_text("m1", "three", "c", SIO_NO_ACK);
	send_text("m1", "four", "d", SIO_NO_ACK);
	cr_assert_eq(saw.ninserts, 4);
	cr_expect_str_eq(saw.inserts[1]->src, "h:b:1");
	cr_expect_str_eq(saw.inserts[2]->src, "h:b:1.1");
	cr_expect_str_eq(saw.inserts[3]->src, "h:b:1.1");
	cr_expect_eq(saw.nroutes, 0);
	answer_insert(2, STORE_OK, NULL);
	answer_insert(3, STORE_OK, NULL);
	/* all devices look for the two before they get the third */
	cr_assert_eq(saw.nroutes, 6);
	cr_expect_eq(saw.routes[0].kind, ENV_CATCH_UP);
	cr_expect_str_eq(saw.routes[0].user, "ben");
	cr_expect_eq(saw.routes[1].kind, ENV_CATCH_UP);
	cr_expect_str_eq(saw.routes[1].user, "anna");
	cr_expect_eq(saw.routes[2].kind, ENV_MESSAGE);
	for (int i = 2; i < 6; i++)
		answer_route(i, 0, 1, false);
}

Test(send, asker_gone_meanwhile)
{
	send_text("m1", "hi", "a", 1);
	answer_last(0, 0);
	gone(anna1);
	anna1 = NULL;
	answer_insert(0, STORE_OK, NULL);
	cr_assert_eq(saw.nframes, 1, "only the other device's copy");
	cr_expect(frame_has(0, "2 42[\"message:new\"", "hi"));
	cr_expect_eq(saw.nroutes, 2, "an accepted message is routed all the same");
	answer_route(0, 0, 1, false);
}

/* Limits of three, one more each 50 ms. */
static void limit_to_three(void)
{
	struct rate_conf rate = rate_conf(20, 3);

	send_rates_free(&c.send_rates);
	send_rates_init(&c.send_rates, &rate, 10);
}

Test(send, too_fast_is_told_when_to_come_back)
{
	limit_to_three();
	saw.match_async = true;		/* the three wait and say nothing */
	for (int i = 0; i < 3; i++)
		send_text("m1", "hi", "a", SIO_NO_ACK);
	cr_assert_eq(saw.nframes, 0);
	clock_fake_set(1000000 + 9000, 5000000000);
	send_text("m1", "hi", "a", 7);	/* a resend counts like any other */
	cr_assert_eq(saw.nframes, 2);
	cr_expect(frame_has(0, "1 42[\"error\"", "\"code\":\"RATE_LIMITED\""));
	cr_expect(frame_has(0, "1 ", "\"retryAfter\":41,\"tempId\":\"a\""));
	cr_expect(frame_has(1, "1 ack7 {\"ok\":false", "\"retryAfter\":41"));
	clock_fake_set(1000000 + 50000, 5000000000);
	send_text("m1", "hi", "b", SIO_NO_ACK);
	cr_expect_eq(saw.nframes, 2, "one more after 50 ms");
	saw.match_async = false;
	saw.match_err = -EAGAIN;
	saw.match.cb(saw.match.arg, -EAGAIN, NULL);
}

Test(send, a_wrong_payload_costs_nothing)
{
	json_t *j = json_pack("{s:s}", "matchId", "m1");

	limit_to_three();
	for (int i = 0; i < 10; i++)
		ev_send(anna1, j, SIO_NO_ACK);
	json_decref(j);
	for (int i = 0; i < 10; i++)
		cr_expect(frame_has(i, "1 42", "INVALID_PAYLOAD"));
}

/* Devices share a bucket, and neither leaving nor another user refills it. */
Test(send, the_bucket_is_the_users)
{
	struct device *first = anna1;
	limit_to_three();
	saw.match_err = -EAGAIN;
	for (int i = 0; i < 3; i++)
		send_text("m1", "hi", "a", SIO_NO_ACK);
	anna1 = anna2;
	send_text("m1", "hi", "a", SIO_NO_ACK);
	cr_assert_eq(saw.nframes, 4);
	cr_expect(frame_has(2, "1 ", "SERVICE_UNAVAILABLE"));
	cr_expect(frame_has(3, "2 ", "RATE_LIMITED"), "%s", saw.frames[3]);
	gone(first);
	gone(anna2);
	anna1 = device("anna", 4);
	anna2 = device("anna", 5);
	send_text("m1", "hi", "a", SIO_NO_ACK);
	cr_expect(frame_has(4, "4 ", "RATE_LIMITED"), "%s", saw.frames[4]);
}
