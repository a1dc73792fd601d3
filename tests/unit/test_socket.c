#include "tests/unit/sio_app.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

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
	{ "40\n40/custom,\n41/custom,\n42[\"m\"]\n40/custom,",
	  "40{\"sid\":\"SID\"}\n40/custom,{\"sid\":\"SID\"}\n"
	  "40/custom,{\"sid\":\"SID\"}\n",
	  "connect root 0\nconnect custom 0\ndisconnected client\n"
	  "m [] -1\nconnect custom 0\n", -1 },
	{ "40/custom,\n41/custom\n42/custom,[\"m\"]",
	  "40/custom,{\"sid\":\"SID\"}\n",
	  "connect custom 0\ndisconnected client\n", CLOSE_PROTOCOL },
	{ "40/custom,\n42[\"m\"]", "40/custom,{\"sid\":\"SID\"}\n",
	  "connect custom 0\ndisconnected protocol\n", CLOSE_PROTOCOL },
	{ "40/Custom,", "44/Custom,{\"message\":\"Invalid namespace\"}\n", "", -1 },
	{ "40/custom/,", "44/custom/,{\"message\":\"Invalid namespace\"}\n", "", -1 },
	{ "40/custo,", "44/custo,{\"message\":\"Invalid namespace\"}\n", "", -1 },
	{ "40/custom?a=1,", "44/custom?a=1,{\"message\":\"Invalid namespace\"}\n",
	  "", -1 },
	{ "40/random\n40/random,{}\n40", "44/random,{\"message\":\"Invalid namespace\"}\n"
	  "44/random,{\"message\":\"Invalid namespace\"}\n40{\"sid\":\"SID\"}\n",
	  "connect root 0\n", -1 },
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
	{ "40/random\n42/random,[\"x\"]",
	  "44/random,{\"message\":\"Invalid namespace\"}\n", "", CLOSE_PROTOCOL },
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
	{ "42[\"m\",1e999]", "", "m [null] -1\n", -1 },
	{ "42[\"m\",{\"a\\u0000\":1}]", "", "m [{\"a\xef\xbf\xbd\":1}] -1\n", -1 },
	{ "42[\"\\udc00\"]", "", "\xef\xbf\xbd [] -1\n", -1 },
	{ "42[\"m\",0.1,-0,1.0]", "", "m [0.10000000000000001,0,1.0] -1\n", -1 },
	{ "42", "", "", -1 },
	{ "43", "", "", -1 },
	{ "4312[]", "", "", -1 },
	{ "4312[1]", "", "", -1 },
	/* acknowledgements of what was asked for, once each */
	{ "42[\"ask\"]\n42[\"ask\"]\n431[1,\"b\"]\n430[]\n430[2]\n432[3]",
	  "420[\"please\"]\n421[\"please\"]\n",
	  "ask [] -1\nask [] -1\nacked [1,\"b\"] 1\nacked [] 0\n", -1 },
	{ "42[\"ask\"]\n430", "420[\"please\"]\n", "ask [] -1\nacked [] 0\n", -1 },
	{ "42[\"ask\"]\n43[7]", "420[\"please\"]\n", "ask [] -1\n", -1 },
	{ "42[\"ask\"]\n43/,0[7]", "420[\"please\"]\n",
	  "ask [] -1\nacked [7] 0\n", -1 },
	{ "42[\"ask\"]\n430[", "420[\"please\"]\n",
	  "ask [] -1\ndisconnected protocol\n", CLOSE_PROTOCOL },
	/* each namespace has its own */
	{ "42[\"ask\"]\n40/custom,\n43/custom,0[7]",
	  "420[\"please\"]\n40/custom,{\"sid\":\"SID\"}\n",
	  "ask [] -1\nconnect custom 0\n", -1 },
	/* and each socket */
	{ "42[\"ask\"]\n41\n40\n430[7]",
	  "420[\"please\"]\n40{\"sid\":\"SID\"}\n",
	  "ask [] -1\ndisconnected client\nconnect root 0\n", -1 },
	/* with attachments that nobody wants; and of nothing */
	{ "42[\"ask\"]\n461-0[{\"_placeholder\":true,\"num\":0}]\nB:x",
	  "420[\"please\"]\n", "ask [] -1\nacked () 0 binary\n", -1 },
	{ "42[\"ask\"]\n461-0[{\"_placeholder\":true,\"num\":1}]\nB:x",
	  "420[\"please\"]\n", "ask [] -1\ndisconnected protocol\n",
	  CLOSE_PROTOCOL },
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
	{ "42[\"connect\"]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "42[\"disconnecting\"]", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "4312{}", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "43[", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "41{}", "", "disconnected protocol\n", CLOSE_PROTOCOL },
	{ "44{\"message\":\"x\"}", "", "disconnected protocol\n", CLOSE_PROTOCOL },
};

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
	{ "42[\"ask\"]\n430[1234567890123456", "420[\"please\"]\n",
	  "ask [] -1\nacked () 0 too large\n", -1 },
	{ "42[\"ask\"]\n461-0[1234567890123456\nB:x", "420[\"please\"]\n",
	  "ask [] -1\nacked () 0 binary too large\n", -1 },
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

/* connect_timeout: of a session that is in no namespace. */
static const struct {
	const char *in;
	bool closes;
} joins[] = {
	{ "", true },
	{ "40/random", true },
	{ "40{\"do\":\"refuse\"}", true },
	{ "40{\"do\":\"later\"}", true },
	{ "40{\"do\":\"later\"}\n41", true },
	{ "40", false },
	{ "40/custom,", false },
	{ "40/random\n40{\"do\":\"refuse\"}\n40/custom,", false },
	{ "40\n40/custom,{\"do\":\"later\"}", false },
	{ "40\n41", false },	/* it may come back when it likes */
};

Test(socket, connect_timeout)
{
	for (size_t i = 0; i < ARRAY_SIZE(joins); i++) {
		start_impatient(30);
		feed(joins[i].in);
		cr_assert_not(fake.closed, "%s", joins[i].in);
		if (joins[i].closes)
			cr_assert(run_until(loop, has_closed, NULL), "%s",
				  joins[i].in);
		else
			run_for(loop, 60);
		cr_assert_eq(fake.closed, joins[i].closes, "%s", joins[i].in);
		if (fake.closed)
			cr_assert_eq(fake.why, CLOSE_PROTOCOL);
		finish();
	}
}

Test(socket, accepted_later)
{
	start();
	feed("40{\"do\":\"later\"}");
	expect("out", "", fake_transport_take(&fake));
	sio_accept(pending, NULL);
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

/* Not even by the others of the same message is more work made. */
Test(socket, refused_again_and_again)
{
	struct buf out = { 0 }, calls = { 0 };

	start();
	for (int i = 0; i < SIO_REFUSALS_MAX - 1; i++) {
		buf_adds(&out, "44{\"message\":\"no \\\"entry\\\"\"}\n");
		buf_adds(&calls, "connect root 1\n");
		feed("40{\"do\":\"refuse\"}");
		run_turn(loop);
	}
	expect("out", buf_str(&out), fake_transport_take(&fake));
	cr_assert_not(fake.closed);
	feed("40{\"do\":\"refuse\"}\n40{\"do\":\"refuse\"}\n40");
	run_turn(loop);
	cr_assert(fake.closed);
	cr_assert_eq(fake.why, CLOSE_PROTOCOL);
	buf_adds(&calls, "connect root 1\n");
	expect("calls", buf_str(&calls), buf_str(&said));
	buf_free(&out);
	buf_free(&calls);
	finish();
}

/* Nor by who is let in and leaves; as many as are allowed may do so in each second. */
Test(socket, connects_and_leaves_again_and_again)
{
	struct buf some = { 0 }, many = { 0 };

	for (int i = 0; i < SIO_CONNECTS_MAX / 2; i++)
		buf_adds(&some, "40\n41\n40{\"do\":\"later\"}\n41\n");
	for (int i = 0; i < 1000; i++)
		buf_adds(&many, "40\n41\n");
	start();
	for (int i = 0; i < 2; i++) {
		run_for(loop, 1001 - clock_mono_ms() % 1000);
		feed(buf_str(&some));
		run_turn(loop);
		cr_assert_not(fake.closed);
	}
	buf_clear(&said);
	feed(buf_str(&many));
	run_turn(loop);
	cr_assert(fake.closed);
	cr_assert_eq(fake.why, CLOSE_PROTOCOL);
	cr_expect_lt(said.len, 500 * strlen("connect root 0\ndisconnected client\n"));
	buf_free(&some);
	buf_free(&many);
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
	sio_accept(pending, NULL);
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

Test(socket, nothing_is_confirmed_to_a_closing_one)
{
	start();
	bye_when_confirmed = true;
	feed("40\n40/custom,");
	eio_session_mark(session);
	run_turn(loop);
	buf_clear(&said);
	feed("3");
	expect("said", "confirmed 1\ndisconnected server\ndisconnected server\n",
	       buf_str(&said));
	finish();
}

Test(socket, a_closing_one_takes_nothing)
{
	start();
	feed("40{\"do\":\"later\"}");
	sio_accept(pending, NULL);
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
	char *shallow = nested(900), *deep = nested(400000);

	start();
	feed("40");
	buf_clear(&said);
	feed(shallow);
	cr_assert_eq(said.len, 2 * 900 + strlen("m [] -1\n"));
	buf_clear(&said);
	feed(deep);
	cr_assert_eq(said.len, 2 * 999 + strlen("m [] -1\n"));
	cr_assert_not(fake.closed);
	free(shallow);
	free(deep);
	finish();
}
