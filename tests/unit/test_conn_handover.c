/* Connections given to other workers, and got from them. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/protocol/ids.h"
#include "tests/unit/wire.h"
#include "worker/transport/handover.h"

static const struct wire_conf defaults;

Test(conn, given_to_another_worker)
{
	struct wire_conf conf = { .hand_over = true };
	char sid[SESSION_ID_LEN + 1];
	struct buf b = { 0 };
	struct client c;

	session_id_make(9, sid);
	wire_start(&conf);
	for (int behind = 0; behind < 2; behind++) {
		c = dial();
		buf_clear(&b);
		buf_adds(&b, post_head(sid, "Content-Length: 6\r\n"));
		buf_adds(&b, "4hello" HEALTH);
		if (behind) {	/* at a later request's boundary */
			say_text(&c, HEALTH);
			say(&c, b.p, b.len);
			expect_answer(&c, 200, "ok");
		} else {
			say(&c, b.p, b.len);
		}
		WAIT_FOR(wire.given_fd != 0);
		cr_assert_eq(wire.owner, 9);
		cr_assert_eq(wire.given.len, b.len);
		cr_assert_eq(memcmp(wire.given.p, b.p, b.len), 0);
		cr_assert_eq(wire.conns.count, 0);
		cr_assert_eq(send(wire.given_fd, "mine", 4, 0), 4);
		WAIT_FOR((pull(&c), c.in.len == 4));
		close(wire.given_fd);
		wire.given_fd = 0;
		hang_up(&c);
	}
	buf_free(&b);
	wire_finish();
}

static void adopt(struct client *c, const struct buf *read,
		  enum conn_owner owner)
{
	static const struct conn_origin from = { .home = 7 };
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	*c = (struct client){ .fd = fds[0] };
	conn_adopt(&wire.conns, fds[1], &from, buf_slice(read), owner);
}

Test(conn, adopted)
{
	struct buf b = { 0 };
	struct client c, other;
	const char *sid;

	wire_start(&defaults);
	other = dial();
	sid = handshake(&other);
	buf_adds(&b, post_head(sid, "Content-Length: 6\r\n"));
	buf_adds(&b, "4hello");
	buf_adds(&b, HEALTH "GET /heal");
	adopt(&c, &b, CONN_OWNER_HERE);
	expect_answer(&c, 200, "ok");
	expect_answer(&c, 200, "ok");
	expect_silence(&c);
	say_text(&c, "thz HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_answer(&c, 200, "ok");
	say_poll(&c, sid);
	expect_answer(&c, 200, "4hello");
	hang_up(&c);
	/* with nothing read */
	buf_clear(&b);
	adopt(&c, &b, CONN_OWNER_HERE);
	say_text(&c, HEALTH);
	expect_answer(&c, 200, "ok");
	hang_up(&c);
	hang_up(&other);
	buf_free(&b);
	wire_finish();
}

/* Accepted by 7: that one opens its sessions, unless it is gone. */
Test(conn, sessions_are_opened_at_home)
{
	static const char open[] = "GET /socket.io/?EIO=4&transport=polling "
				   "HTTP/1.1\r\nHost: x\r\n\r\n";
	struct wire_conf conf = { .hand_over = true };
	struct buf b = { 0 };
	struct client c;

	wire_start(&conf);
	buf_adds(&b, HEALTH);
	adopt(&c, &b, CONN_OWNER_HERE);
	expect_answer(&c, 200, "ok");
	say_text(&c, open);
	WAIT_FOR(wire.given_fd != 0);
	cr_assert_eq(wire.owner, 7);
	cr_assert_eq(wire.given.len, sizeof(open) - 1);
	close(wire.given_fd);
	wire.given_fd = 0;
	hang_up(&c);
	buf_clear(&b);
	buf_adds(&b, open);
	adopt(&c, &b, CONN_OWNER_GONE);
	expect_answer(&c, 200, NULL);
	cr_assert_not_null(echoed.latest);
	cr_assert_eq(wire.given_fd, 0);
	hang_up(&c);
	buf_free(&b);
	wire_finish();
}

/* It came for a session, and stays for that; for all else there is a worker that
 * stays. */
Test(conn, draining_with_hand_over)
{
	static const char open[] = "GET /socket.io/?EIO=4&transport=polling "
				   "HTTP/1.1\r\nHost: x\r\n\r\n";
	struct wire_conf conf = { .hand_over = true };
	char other[SESSION_ID_LEN + 1];
	const char *sid, *head, *body;
	struct client c, home;
	struct buf b = { 0 };

	session_id_make(9, other);
	wire_start(&conf);
	home = dial();
	sid = handshake(&home);
	conns_drain(&wire.conns);
	buf_adds(&b, post_head(sid, "Content-Length: 6\r\n"));
	buf_adds(&b, "4hello");
	adopt(&c, &b, CONN_OWNER_HERE);
	cr_assert_eq(answer(&c, &head, &body), 200);
	cr_assert_null(strstr(head, "Connection: close\r\n"));
	say_poll(&c, sid);
	cr_assert_eq(answer(&c, &head, &body), 200);
	cr_assert_str_eq(body, "4hello");
	cr_assert_null(strstr(head, "Connection: close\r\n"));
	say_text(&c, open);
	WAIT_FOR(wire.given_fd != 0);
	cr_assert_eq(wire.owner, 7);
	close(wire.given_fd);
	wire.given_fd = 0;
	hang_up(&c);
	buf_clear(&b);
	adopt(&c, &b, CONN_OWNER_HERE);
	say_text(&c, HEALTH);
	cr_assert_eq(answer(&c, &head, &body), 200);
	cr_assert_not_null(strstr(head, "Connection: close\r\n"));
	expect_eof(&c);
	hang_up(&c);
	/* our own, given to another, has its home there from now on */
	say_poll(&home, other);
	WAIT_FOR(wire.given_fd != 0);
	cr_assert_eq(wire.home, 9);
	close(wire.given_fd);
	wire.given_fd = 0;
	hang_up(&home);
	buf_free(&b);
	wire_finish();
}

Test(conn, given_back)
{
	struct wire_conf conf = { .hand_over = true };
	char sid[SESSION_ID_LEN + 1];
	struct buf b = { 0 };
	struct client c;

	session_id_make(9, sid);
	wire_start(&conf);
	buf_printf(&b, "GET /socket.io/?EIO=4&transport=polling&sid=%s "
		       "HTTP/1.1\r\nHost: x\r\n\r\n", sid);
	adopt(&c, &b, CONN_OWNER_GONE);
	expect_answer(&c, 400, "{\"code\":1,\"message\":\"Session ID unknown\"}");
	hang_up(&c);
	adopt(&c, &b, CONN_OWNER_AWAY);
	expect_answer(&c, 503, NULL);
	/* the next one is judged anew */
	say(&c, b.p, b.len);
	WAIT_FOR(wire.given_fd != 0);
	close(wire.given_fd);
	hang_up(&c);
	buf_free(&b);
	wire_finish();
}
