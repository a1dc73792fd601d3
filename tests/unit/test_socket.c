#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/unit/fake_transport.h"
#include "worker/socketio/json_text.h"
#include "worker/socketio/socket.h"

/* The application under test: echoes "echo", acknowledges with the arguments,
 * and writes down what it is told. */
static struct buf said;
static struct sio_socket *pending;

static void app_connect(void *arg, struct sio_socket *k, json_t *auth)
{
	const char *answer = json_string_value(json_object_get(auth, "do"));

	buf_printf(&said, "connect %s %zu\n", (const char *)arg,
		   json_object_size(auth));
	sio_socket_attach(k, k);
	if (answer != NULL && strcmp(answer, "refuse") == 0)
		sio_refuse(k, "no \"entry\"");
	else if (answer != NULL && strcmp(answer, "refuse with data") == 0)
		sio_refuse_data(k, "full", "{\"code\":7}");
	else if (answer != NULL && strcmp(answer, "later") == 0)
		pending = k;
	else
		sio_accept(k);
}

static void app_event(void *up, struct sio_socket *k, const struct sio_event *e)
{
	char *args = e->args != NULL ? json_dumps(e->args, JSON_COMPACT)
				     : mem_strdup("()");
	size_t n = strlen(args);

	cr_assert_eq(up, k);
	buf_printf(&said, "%s %s %d%s%s\n", e->name, args, (int)e->ack,
		   e->binary ? " binary" : "", e->too_large ? " too large" : "");
	for (unsigned i = 0; i < e->nattachments; i++)
		buf_printf(&said, "+%.*s\n", (int)e->attachments[i].n,
			   e->attachments[i].p);
	if (strcmp(e->name, "bye") == 0)
		sio_disconnect(k, CLOSE_SERVER);
	else
		sio_ack(k, e->ack, (struct slice){ args + 1, n - 2 });
	free(args);
}

static void app_confirmed(void *up, struct sio_socket *k, uint32_t mark)
{
	cr_assert_eq(up, k);
	buf_printf(&said, "confirmed %u\n", mark);
}

static void app_disconnected(void *up, struct sio_socket *k,
			     enum close_reason why)
{
	cr_assert(up == NULL || up == k);
	if (k == pending)
		pending = NULL;
	buf_printf(&said, "disconnected %s\n", close_reason_name(why));
}

static struct loop *loop;
static struct eio_sessions *sessions;
static struct sio_server *server;
static struct fake_transport fake;
static struct eio_session *session;

static void start_with(unsigned connect_timeout_ms, size_t event_max)
{
	const struct eio_conf c = {
		.instance = 1, .ping_interval_ms = 60000,
		.ping_timeout_ms = 60000,
		.connect_timeout_ms = connect_timeout_ms,
		.max_payload = 1000000, .outbox_limit = 1000000,
	};
	struct sio_ops ops = {
		app_connect, app_event, app_confirmed, app_disconnected,
		"root", false, event_max,
	};
	struct eio_ops eio;

	loop = loop_new();
	server = sio_server_new(1);
	sio_server_namespace(server, "/", &ops);
	ops.arg = "custom";
	ops.attachments = true;
	sio_server_namespace(server, "/custom", &ops);
	eio = sio_server_eio_ops(server);
	sessions = eio_sessions_new(loop, &c, &eio);
	fake_transport_init(&fake, false);
	session = eio_session_open(sessions, &fake.t);
	run_turn(loop);
	fake_transport_take(&fake);
}

static void start_impatient(unsigned connect_timeout_ms)
{
	start_with(connect_timeout_ms, 0);
}

static void start(void)
{
	start_with(60000, 0);
}

static void finish(void)
{
	eio_sessions_free(&sessions);
	sio_server_free(&server);
	loop_free(&loop);
	fake_transport_free(&fake);
	buf_free(&said);
}

/* Session ids are random: each is written as SID. */
static void hide_sids(char *text)
{
	for (char *p = text; (p = strstr(p, "{\"sid\":\"")) != NULL; p += 11) {
		memcpy(p + 8, "SID", 3);
		memmove(p + 11, p + 8 + SESSION_ID_LEN,
			strlen(p + 8 + SESSION_ID_LEN) + 1);
	}
}

static void expect(const char *what, const char *want, const char *got)
{
	char *text = mem_strdup(got);

	hide_sids(text);
	cr_assert_str_eq(text, want, "%s", what);
	free(text);
}

/* in: frames of the client separated by newlines, "B:" before binary ones.
 * out and said: each line ends in a newline. end: -1 stays open. */
struct transcript {
	const char *in, *out, *said;
	int end;
};

static void feed(const char *in)
{
	while (*in != '\0') {
		size_t n = strcspn(in, "\n");

		if (strncmp(in, "B:", 2) == 0)
			eio_session_frame(session, eio_session_transport(session),
					  (struct slice){ in + 2, n - 2 }, true);
		else
			eio_session_frame(session, eio_session_transport(session),
					  (struct slice){ in, n }, false);
		in += n + (in[n] == '\n');
	}
	run_turn(loop);
}

static const struct transcript connects[] = {
	{ "40", "40{\"sid\":\"SID\"}\n", "connect root 0\n", -1 },
	{ "40/", "40{\"sid\":\"SID\"}\n", "connect root 0\n", -1 },
	{ "40{\"token\":\"x\"}", "40{\"sid\":\"SID\"}\n", "connect root 1\n", -1 },
	{ "40/custom,", "40/custom,{\"sid\":\"SID\"}\n", "connect custom 0\n", -1 },
	{ "40/custom", "40/custom,{\"sid\":\"SID\"}\n", "connect custom 0\n", -1 },
	{ "40/custom,{\"a\":1,\"b\":2}", "40/custom,{\"sid\":\"SID\"}\n",
	  "connect custom 2\n", -1 },
	{ "40\n40/custom,", "40{\"sid\":\"SID\"}\n40/custom,{\"sid\":\"SID\"}\n",
	  "connect root 0\nconnect custom 0\n", -1 },
	{ "40/random", "44/random,{\"message\":\"Invalid namespace\"}\n", "", -1 },
	{ "40/random,{", "44/random,{\"message\":\"Invalid namespace\"}\n", "", -1 },
	{ "40{\"do\":\"refuse with data\"}",
	  "44{\"message\":\"full\",\"data\":{\"code\":7}}\n",
	  "connect root 1\n", -1 },
	{ "40{\"do\":\"refuse\"}", "44{\"message\":\"no \\\"entry\\\"\"}\n",
	  "connect root 1\n", -1 },
	{ "40/custom,{\"do\":\"refuse\"}\n40/custom,",
	  "44/custom,{\"message\":\"no \\\"entry\\\"\"}\n"
	  "40/custom,{\"sid\":\"SID\"}\n",
	  "connect custom 1\nconnect custom 0\n", -1 },
	{ "40\n41\n40", "40{\"sid\":\"SID\"}\n40{\"sid\":\"SID\"}\n",
	  "connect root 0\ndisconnected client\nconnect root 0\n", -1 },
	{ "40{\"do\":\"later\"}\n41", "",
	  "connect root 1\ndisconnected client\n", -1 },
	/* ends of the connection */
	{ "40[]", "", "", CLOSE_PROTOCOL },
	{ "40{\"a\":", "", "", CLOSE_PROTOCOL },
	{ "40\n40", "40{\"sid\":\"SID\"}\n",
	  "connect root 0\ndisconnected protocol\n", CLOSE_PROTOCOL },
	{ "40{\"do\":\"later\"}\n40", "",
	  "connect root 1\ndisconnected protocol\n", CLOSE_PROTOCOL },
	{ "40{\"do\":\"later\"}\n42[\"x\"]", "",
	  "connect root 1\ndisconnected protocol\n", CLOSE_PROTOCOL },
	{ "42[\"x\"]", "", "", CLOSE_PROTOCOL },
	{ "41", "", "", CLOSE_PROTOCOL },
	{ "40\n41\n42[\"x\"]", "40{\"sid\":\"SID\"}\n",
	  "connect root 0\ndisconnected client\n", CLOSE_PROTOCOL },
	{ "40\n42/custom,[\"x\"]", "40{\"sid\":\"SID\"}\n",
	  "connect root 0\ndisconnected protocol\n", CLOSE_PROTOCOL },
	{ "44{}", "", "", CLOSE_PROTOCOL },
	{ "4abc", "", "", CLOSE_PROTOCOL },
	{ "4", "", "", CLOSE_PROTOCOL },
};

/* What the client sends behind its CONNECT to "/". */
static const struct transcript events[] = {
	{ "42[\"m\",1,\"2\",{\"3\":[true]}]", "",
	  "m [1,\"2\",{\"3\":[true]}] -1\n", -1 },
	{ "42456[\"m\",1,\"2\",{\"3\":[true]}]", "43456[1,\"2\",{\"3\":[true]}]\n",
	  "m [1,\"2\",{\"3\":[true]}] 456\n", -1 },
	{ "420[\"m\"]", "430[]\n", "m [] 0\n", -1 },
	{ "42/,7[\"m\"]", "437[]\n", "m [] 7\n", -1 },
	{ "42[7,1]", "", "7 [1] -1\n", -1 },
	{ "42[1.5]", "", "1.5 [] -1\n", -1 },
	{ "42[\"error\"]", "", "error [] -1\n", -1 },
	{ "42[\"connection\"]", "", "connection [] -1\n", -1 },
	{ "42[\"a\\u0000b\"]", "", " [] -1\n", -1 },
	{ "42[\"m\",\"\\u0000\"]", "", "m [\"\\u0000\"] -1\n", -1 },
	{ "42[\"m\",100000000000000000000]", "", "m [1e20] -1\n", -1 },
	{ "42[\"m\",\"\\ud83d\"]", "", "m [\"\xef\xbf\xbd\"] -1\n", -1 },
	{ "42[\"m\",\"\\ud83d\\ude00\"]", "", "m [\"\xf0\x9f\x98\x80\"] -1\n", -1 },
	{ "42", "", "", -1 },
	{ "43", "", "", -1 },
	{ "4312[]", "", "", -1 },
	{ "4312[1]", "", "", -1 },
	{ "41\n40", "40{\"sid\":\"SID\"}\n",
	  "disconnected client\nconnect root 0\n", -1 },
	{ "42[\"bye\"]", "41\n", "bye [] -1\ndisconnected server\n", CLOSE_SERVER },
	/* binary: the root namespace keeps no attachments */
	{ "451-[\"m\",{\"_placeholder\":true,\"num\":0}]\nB:x", "",
	  "m () -1 binary\n", -1 },
	{ "452-3[7,{}]\nB:x\nB:y\n42[\"m\"]", "433[]\n",
	  "7 () 3 binary\nm [] -1\n", -1 },
	{ "451-\nB:x", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "451-[]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "451-[\"connect\"]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "451-[\"m\",{\"_placeholder\":true,\"num\":0}]", "", "", -1 },
	{ "461-7[{\"_placeholder\":true,\"num\":0}]\nB:x\n42[\"m\"]", "",
	  "m [] -1\n", -1 },
	{ "452-[\"m\",{\"_placeholder\":true,\"num\":2}]", "",
	  "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "451-[\"m\",[{\"_placeholder\":true,\"num\":\"0\"}]]", "",
	  "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "452-[\"m\",{\"_placeholder\":true,\"num\":1}]\nB:x\n42[\"m\"]", "",
	  "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "451-[\"m\"]\nB:x\nB:y", "",
	  "m () -1 binary\ndisconnected protocol\n", CLOSE_PROTOCOL },
	{ "B:x", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "450-[\"m\"]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	/* ends of the connection */
	{ "42[]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "42{}", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "42[null]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "42[[]]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "42[true]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "42abc[\"m\"]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "42-5[\"m\"]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "421e3[\"m\"]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "42[\"m\"", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "42[\"m\"]x", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "42[\"m\",\"\x80\"]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "42[\"m\",1e999]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "42[\"connect\"]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "42[\"disconnecting\"]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "4312{}", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "43[", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "41{}", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "44{\"message\":\"x\"}", "", "disconnected protocol\n", CLOSE_PROTOCOL },
};

static void replay(const struct transcript *t)
{
	feed(t->in);
	expect(t->in, t->out, fake_transport_take(&fake));
	expect(t->in, t->said, buf_str(&said));
	cr_assert_eq(fake.closed, t->end != -1, "%s", t->in);
	finish();
}

Test(socket, connect)
{
	for (size_t i = 0; i < ARRAY_SIZE(connects); i++) {
		start();
		replay(&connects[i]);
	}
}

Test(socket, events)
{
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		start();
		feed("40");
		fake_transport_take(&fake);
		buf_clear(&said);
		replay(&events[i]);
	}
}

/* The same with an event_max of 16. */
static const struct transcript large[] = {
	{ "423[\"m\",\"78901234\"]", "433[\"78901234\"]\n",
	  "m [\"78901234\"] 3\n", -1 },
	{ "423[\"m\",\"789012345\"]", "433[]\n", "m () 3 too large\n", -1 },
	{ "42[\"m\",\"789012345\"]", "", "m () -1 too large\n", -1 },
	{ "42[\"m\",{},{},{},{},[[[", "", "m () -1 too large\n", -1 },
	{ "42[\"m\",\"7890123\x80\x80\"]", "", "m () -1 too large\n", -1 },
	{ "42[7,8,9,10,11,12,13]", "", " () -1 too large\n", -1 },
	{ "42[\"connect\",1,2,3,4]", "", "disconnected protocol\n",
	  CLOSE_PROTOCOL },
	{ "4312[1234567890123456", "", "", -1 },
	{ "41\n40{\"a\":78901234567}", "",
	  "disconnected client\n", CLOSE_PROTOCOL },
	{ "451-3[\"m\",\"789012345\"]\nB:x", "433[]\n",
	  "m () 3 binary too large\n", -1 },
	{ "451-[\"connect\",1,2,3,4]\nB:x", "", "disconnected protocol\n",
	  CLOSE_PROTOCOL },
	{ "461-[1234567890123456\nB:x", "", "", -1 },
	/* no different where attachments are kept */
	{ "40/custom,\n451-/custom,3[\"m\",\"789012345\"]\nB:x",
	  "40/custom,{\"sid\":\"SID\"}\n43/custom,3[]\n",
	  "connect custom 0\nm () 3 binary too large\n", -1 },
};

Test(socket, too_large)
{
	for (size_t i = 0; i < ARRAY_SIZE(large); i++) {
		start_with(60000, 16);
		feed("40");
		fake_transport_take(&fake);
		buf_clear(&said);
		replay(&large[i]);
	}
}

Test(socket, attachments_are_kept_where_asked_for)
{
	start();
	feed("40/custom,\n"
	     "452-/custom,9[\"m\",{\"a\":{\"_placeholder\":true,\"num\":1}}]\n"
	     "B:first\nB:");
	expect("out", "40/custom,{\"sid\":\"SID\"}\n"
	       "43/custom,9[{\"a\":{\"_placeholder\":true,\"num\":1}}]\n",
	       fake_transport_take(&fake));
	expect("said", "connect custom 0\n"
	       "m [{\"a\":{\"_placeholder\":true,\"num\":1}}] 9 binary\n"
	       "+first\n+\n", buf_str(&said));
	finish();
}

/* Kept events are looked at when they are whole. */
Test(socket, broken_events_with_attachments)
{
	static const char *const table[] = {
		"[\"m\",{\"_placeholder\":true,\"num\":1}]", "[\"m\"", "[]",
		"[null]", "[\"connect\"]",
	};
	char text[100];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		start();
		snprintf(text, sizeof(text), "40/custom,\n451-/custom,%s",
			 table[i]);
		feed(text);
		cr_assert_not(fake.closed, "%s", table[i]);
		buf_clear(&said);
		feed("B:x");
		expect(table[i], "disconnected protocol\n", buf_str(&said));
		finish();
	}
}

static bool has_closed(void *arg)
{
	(void)arg;
	return fake.closed;
}

Test(socket, attachments_have_a_deadline)
{
	static const char *const namespaces[] = { "/", "/custom" };
	char text[100];

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		start_impatient(20);
		snprintf(text, sizeof(text), "40%s,\n452-%s,[\"m\"]\nB:x",
			 namespaces[i], namespaces[i]);
		feed(text);
		buf_clear(&said);
		cr_assert(run_until(loop, has_closed, NULL), "%s", text);
		expect(text, "disconnected protocol\n", buf_str(&said));
		finish();
	}
}

/* Another namespace that is accepted meanwhile does not lift it. */
Test(socket, the_deadline_is_the_assemblys)
{
	start_impatient(20);
	feed("40/custom,\n40{\"do\":\"later\"}\n451-/custom,[\"m\"]");
	sio_accept(pending);
	cr_assert(run_until(loop, has_closed, NULL));
	finish();
}

Test(socket, no_deadline_when_they_came)
{
	start_impatient(20);
	feed("40\n451-[\"m\"]\nB:x\n461-1[]\nB:x");
	run_for(loop, 60);
	cr_assert_not(fake.closed);
	finish();
}

/* A tree of these weighs seventy times its text. */
static char *many_objects(const char *head, size_t size)
{
	char *text = mem_alloc(size + 4);
	size_t n = (size_t)sprintf(text, "%s[\"m\"", head);

	while (n < size) {
		memcpy(text + n, ",{}", 3);
		n += 3;
	}
	strcpy(text + n, "]");
	return text;
}

Test(socket, waiting_for_attachments_costs_no_more_than_the_text)
{
	static const char *const heads[] = { "451-", "461-", "451-/custom," };

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		char *text = many_objects(heads[i], 900000);
		size_t before, held;

		start();
		feed("40\n40/custom,");
		before = mallinfo2().uordblks;
		feed(text);
		held = mallinfo2().uordblks - before;
		cr_assert_not(fake.closed, "%s", heads[i]);
		cr_assert_lt(held, i < 2 ? 10000 : 1200000, "%s %zu", heads[i],
			     held);
		free(text);
		finish();
	}
}

Test(socket, accepted_later)
{
	start();
	feed("40{\"do\":\"later\"}");
	expect("out", "", fake_transport_take(&fake));
	sio_accept(pending);
	run_turn(loop);
	expect("out", "40{\"sid\":\"SID\"}\n", fake_transport_take(&fake));
	buf_clear(&said);
	feed("42[\"m\"]");
	expect("said", "m [] -1\n", buf_str(&said));
	finish();
}

Test(socket, refused_later)
{
	start();
	feed("40{\"do\":\"later\"}");
	sio_refuse(pending, "late");
	pending = NULL;
	run_turn(loop);
	expect("out", "44{\"message\":\"late\"}\n", fake_transport_take(&fake));
	cr_assert_not(fake.closed);
	finish();
}

Test(socket, ids)
{
	struct sio_socket *first;
	char id[SESSION_ID_LEN + 1];

	start();
	feed("40{\"do\":\"later\"}");
	first = pending;
	strcpy(id, sio_socket_id(first));
	cr_assert_str_neq(id, eio_session_sid(session));
	cr_assert_eq(sio_socket_session(first), session);
	cr_assert_str_eq(sio_socket_namespace(first), "/");
	feed("41\n40{\"do\":\"later\"}");
	cr_assert_str_neq(id, sio_socket_id(pending), "a new socket, a new id");
	finish();
}

Test(socket, disconnect_tells_every_namespace)
{
	start();
	feed("40\n40/custom,");
	fake_transport_take(&fake);
	buf_clear(&said);
	feed("42[\"bye\"]");
	expect("out", "41\n41/custom,\n", fake_transport_take(&fake));
	expect("said", "bye [] -1\ndisconnected server\ndisconnected server\n",
	       buf_str(&said));
	finish();
}

Test(socket, confirmed_reaches_the_socket)
{
	uint32_t mark;
	char want[32];

	start();
	feed("40{\"do\":\"later\"}");
	sio_accept(pending);
	sio_send(pending, SLICE("42[\"x\"]"));
	mark = sio_mark(pending);
	run_turn(loop);
	expect("out", "40{\"sid\":\"SID\"}\n42[\"x\"]\n2\n",
	       fake_transport_take(&fake));
	buf_clear(&said);
	feed("3");
	snprintf(want, sizeof(want), "confirmed %u\n", mark);
	expect("said", want, buf_str(&said));
	finish();
}

Test(socket, a_closing_one_takes_nothing)
{
	start();
	feed("40{\"do\":\"later\"}");
	sio_accept(pending);
	cr_assert(sio_send(pending, SLICE("42[1]")));
	sio_disconnect(pending, CLOSE_SERVER);
	cr_assert_not(sio_send(pending, SLICE("42[2]")));
	run_turn(loop);
	expect("out", "40{\"sid\":\"SID\"}\n42[1]\n41\n",
	       fake_transport_take(&fake));
	finish();
}

static char *nested(unsigned depth)
{
	char *text = mem_alloc(2 * depth + 16);

	strcpy(text, "42[\"m\",");
	memset(text + 7, '[', depth);
	memset(text + 7 + depth, ']', depth);
	strcpy(text + 7 + 2 * depth, "]");
	return text;
}

Test(socket, depth)
{
	char *shallow = nested(1000), *deep = nested(10000);

	start();
	feed("40");
	feed(shallow);
	cr_assert_not(fake.closed);
	feed(deep);
	cr_assert(fake.closed);
	free(shallow);
	free(deep);
	finish();
}

/* Every truncation of a packet either waits for nothing or closes: no crash,
 * no partial event. */
Test(socket, truncations)
{
	static const char whole[] =
		"452-/custom,12[\"m\",{\"_placeholder\":true,\"num\":0}]";

	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		start();
		feed("40/custom,");
		eio_session_frame(session, eio_session_transport(session),
					  (struct slice){ whole, n }, false);
		run_turn(loop);
		if (!fake.closed)	/* waits for these to look at it */
			feed("B:x\nB:y");
		/* "4" + "5…": only complete packets are accepted */
		cr_assert(fake.closed, "%zu", n);
		finish();
	}
}

Test(json_text, first)
{
	static const struct {
		const char *in, *out;
	} table[] = {
		{ "[\"1234\",{", "1234" },
		{ "[ \t\r\n\"1234\"", "1234" },
		{ "[\"\"", "" },
		{ "[\"12345\"]", "" },
		{ "[\"\\u0041\\u0042\\u0043\\u0044\"]", "ABCD" },
		{ "[\"\\u0041\\u0042\\u0043\\u0044\\u0045\"]", "" },
		{ "[\"\\\"\\\\\",1]", "\"\\" },
		{ "[\"\xc3\xa4\xc3\xa4\"]", "\xc3\xa4\xc3\xa4" },
		{ "[\"\xc3\xa4\xc3\xa4" "1\"]", "" },
		{ "[\"\x80\"]", "" },
		{ "[\"\n\"]", "" },
		{ "[\"\\x\"]", "" },
		{ "[\"12", "" },
		{ "[\"12\\", "" },
		{ "[\"", "" },
		{ "[", "" },
		{ "[ ", "" },
		{ "[1]", "" },
		{ "[[\"1\"]]", "" },
		{ "[]", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		size_t n = strlen(table[i].in);
		char *in = mem_alloc(n + (n == 0));
		json_t *j;

		memcpy(in, table[i].in, n);
		j = json_text_first((struct slice){ in, n }, 4);
		cr_assert_str_eq(json_string_value(j), table[i].out, "%s",
				 table[i].in);
		json_decref(j);
		free(in);
	}
}

Test(json_text, surrogates)
{
	static const struct {
		const char *in, *out;
	} table[] = {
		{ "[\"\\ud800\"]", "\xef\xbf\xbd" },
		{ "[\"\\udc00\"]", "\xef\xbf\xbd" },
		{ "[\"\\uDBFF\\uDBFF\\uDFFF\"]", "\xef\xbf\xbd\xf4\x8f\xbf\xbf" },
		{ "[\"\\\\ud800\"]", "\\ud800" },
		{ "[\"\\ud800x\"]", "\xef\xbf\xbd" "x" },
		{ "[\"\\ud800\\n\"]", "\xef\xbf\xbd\n" },
		{ "[\"\\ud800\\u0041\"]", "\xef\xbf\xbd" "A" },
		{ "[\"\\ud8zz\"]", NULL },
		{ "[\"\\ud800", NULL },
		{ "[\"\\ud8", NULL },
		{ "[\"\\u", NULL },
		{ "[\"\\", NULL },
		{ "[\"\\u0041\"", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		/* its own memory, so that a read past the end shows */
		size_t n = strlen(table[i].in);
		char *in = mem_alloc(n);
		json_t *j;

		memcpy(in, table[i].in, n);
		j = json_text_load((struct slice){ in, n });
		cr_assert_eq(j != NULL, table[i].out != NULL, "%s", table[i].in);
		if (j != NULL)
			cr_assert_str_eq(json_string_value(json_array_get(j, 0)),
					 table[i].out);
		json_decref(j);
		free(in);
	}
}
