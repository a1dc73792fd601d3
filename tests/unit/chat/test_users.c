#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "worker/chat/stream.h"
#include "worker/chat/users.h"

static struct sio_socket *fake_socket(int i)
{
	return (struct sio_socket *)(uintptr_t)(0x1000 + i);
}

static struct slice s(const char *text)
{
	return (struct slice){ text, strlen(text) };
}

Test(users, come_and_go)
{
	struct users us;
	struct device *a, *b, *c;
	char id[PW_ID_MAX + 1] = "";

	users_init(&us);
	a = device_new(NULL, &us, "anna", fake_socket(1));
	b = device_new(NULL, &us, "anna", fake_socket(2));
	c = device_new(NULL, &us, "ben", fake_socket(3));
	cr_expect_eq(users_count(&us), 2);
	cr_expect_eq(users_find(&us, s("anna")), a->user);
	cr_expect_eq(a->user, b->user);
	cr_expect_null(users_find(&us, s("ann")));
	cr_expect_not(device_gone(&us, a, id));
	cr_expect_str_eq(id, "");
	device_ref(b);
	cr_expect(device_gone(&us, b, id));
	cr_expect_str_eq(id, "anna");
	cr_expect_null(users_find(&us, s("anna")));
	cr_expect_null(b->socket, "work in flight sees that the socket left");
	device_unref(b);
	cr_expect(device_gone(&us, c, id));
	users_free(&us);
}

Test(streams, last_never_repeats)
{
	struct streams ss;
	struct stream *st;

	streams_init(&ss, 10);
	st = stream_get(&ss, "anna", "m1");
	cr_expect_eq(stream_get(&ss, "anna", "m1"), st);
	cr_expect_neq(stream_get(&ss, "anna", "m2"), st);
	cr_expect_neq(stream_get(&ss, "annam", "1"), st);
	cr_expect_str_eq(stream_sender(st), "anna");
	cr_expect_str_eq(stream_match(st), "m1");
	cr_expect_eq(stream_next_ms(st, 1000), 1000);
	cr_expect_eq(stream_next_ms(st, 1000), 1001);
	cr_expect_eq(stream_next_ms(st, 900), 1002);
	streams_raise(&ss, s("anna"), s("m1"), 5000);
	cr_expect_eq(stream_next_ms(st, 1003), 5001);
	streams_raise(&ss, s("anna"), s("m1"), 4000);
	cr_expect_eq(stream_next_ms(st, 1003), 5002);
	streams_free(&ss);
}

Test(streams, only_idle_ones_leave)
{
	struct streams ss;
	struct stream *busy;
	char id[16];

	streams_init(&ss, 4);
	busy = stream_get(&ss, "anna", "m");
	busy->inflight = 1;
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		stream_get(&ss, "ben", id);
	}
	cr_expect_leq(ss.map.count, 6);
	cr_expect_eq(stream_get(&ss, "anna", "m"), busy);
	busy->inflight = 0;
	streams_free(&ss);
}
