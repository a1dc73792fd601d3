#include "tests/unit/sio_app.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

Test(socket, recovery_fields)
{
	static const struct {
		const char *in, *said;
	} table[] = {
		{ "40{\"pid\":\"p\",\"offset\":\"o\",\"token\":\"t\"}",
		  "connect root 3 pid=p offset=o\n" },
		{ "40/custom,{\"pid\":\"\",\"offset\":\"\"}",
		  "connect custom 2 pid= offset=\n" },
		{ "40{\"pid\":\"p\"}", "connect root 1\n" },
		{ "40{\"offset\":\"o\"}", "connect root 1\n" },
		{ "40{\"pid\":7,\"offset\":\"o\"}", "connect root 2\n" },
		{ "40{\"pid\":\"p\",\"offset\":null}", "connect root 2\n" },
		{ "40{\"pid\":\"p\",\"offset\":[\"o\"]}", "connect root 2\n" },
		{ "40{\"pid\":\"p\\u0000\",\"offset\":\"o\"}",
		  "connect root 2\n" },
		{ "40{\"pid\":\"p\",\"offset\":\"\\u0000\"}",
		  "connect root 2\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		start();
		feed(table[i].in);
		expect(table[i].in, table[i].said, buf_str(&said));
		cr_assert_not(fake.closed);
		finish();
	}
}

Test(socket, recovery_fields_are_bounded)
{
	static const struct {
		int pid, offset;
		bool taken;
	} table[] = {
		{ SIO_PID_MAX, SIO_OFFSET_MAX, true },
		{ SIO_PID_MAX + 1, SIO_OFFSET_MAX, false },
		{ SIO_PID_MAX, SIO_OFFSET_MAX + 1, false },
	};
	char in[SIO_PID_MAX + SIO_OFFSET_MAX + 50];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		start();
		snprintf(in, sizeof(in), "40{\"pid\":\"%0*d\",\"offset\":\"%0*d\"}",
			 table[i].pid, 0, table[i].offset, 0);
		feed(in);
		cr_assert_eq(strstr(buf_str(&said), " pid=0") != NULL,
			     table[i].taken, "%zu", i);
		finish();
	}
}

/* What was missed comes first; the client keeps it until it is connected. */
Test(socket, recovered)
{
	static const char sid[] = "AAABcccccccccccccccc";

	start();
	feed("40{\"do\":\"later\"}");
	cr_assert_eq(sio_restore(pending, "AAABccccccccccccccc"), -EINVAL);
	cr_assert_eq(sio_restore(pending, "AAABccccccccccccccc!"), -EINVAL);
	cr_assert_eq(sio_restore(pending, ""), -EINVAL);
	cr_assert_str_neq(sio_socket_id(pending), "");
	cr_assert_eq(sio_restore(pending, sid), 0);
	cr_assert_str_eq(sio_socket_id(pending), sid);
	cr_assert(sio_send(pending, SLICE("42[\"missed\",\"o1\"]")));
	sio_accept(pending, "the \"pid\"");
	sio_accept(pending, "again");
	sio_send(pending, SLICE("42[\"new\",\"o2\"]"));
	run_turn(loop);
	cr_assert_str_eq(fake_transport_take(&fake),
			 "42[\"missed\",\"o1\"]\n"
			 "40{\"sid\":\"AAABcccccccccccccccc\","
			 "\"pid\":\"the \\\"pid\\\"\"}\n"
			 "42[\"new\",\"o2\"]\n");
	finish();
}
