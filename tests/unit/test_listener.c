/* The listener, and connections that are refused. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "tests/unit/ws_echo.h"

#define FLOOD 90	/* the socket's queue takes 100 */

Test(conn, answers_and_closes)
{
	static const struct {
		const char *request, *status, *body;
	} table[] = {
		{ "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		  "\r\n", "200 OK", "ok" },
		{ "GET / HTTP/1.0\r\nHost: x\r\n\r\n", "404 Not Found", "\n" },
		{ "GET / HTTP/1.1\nHost: x\n\n", "400 Bad Request", "\n" },
		{ "\x16\x03\x01\x02", NULL, NULL },
		{ "POST /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
		  "Host: x\r\nContent-Length: 90000\r\n\r\nxxxx",
		  "400 Bad Request", "Bad handshake method\"}" },
	};

	start(300, 0);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct client c = dial();

		say_text(&c, table[i].request);
		expect_eof(&c);
		if (table[i].status != NULL) {
			cr_assert_not_null(strstr(buf_str(&c.in), table[i].status));
			cr_assert_not_null(strstr(buf_str(&c.in),
						  "Connection: close\r\n"));
			cr_assert_str_eq(c.in.p + c.in.len - strlen(table[i].body),
					 table[i].body);
		}
		hang_up(&c);
	}
	finish();
}

Test(conn, head_in_pieces)
{
	struct client c;

	start(60000, 0);
	c = dial();
	for (const char *p = UPGRADE; *p != '\0'; p++) {
		say(&c, p, 1);
		run_turn(loop);
	}
	expect_text(&c, "101 Switching Protocols");
	expect_text(&c, "0{\"sid\"");
	hang_up(&c);
	finish();
}

Test(conn, head_too_slow_or_too_large)
{
	struct client c, silent;
	char *big = mem_alloc(20000);

	start(50, 0);
	c = dial();
	silent = dial();
	say_text(&c, "GET / HTTP/1.1\r\n");
	expect_eof(&c);
	cr_assert_not_null(strstr(buf_str(&c.in), "408 Request Timeout"));
	hang_up(&c);
	expect_eof(&silent);
	cr_assert_eq(silent.in.len, 0);
	hang_up(&silent);

	memset(big, 'a', 20000);
	c = dial();
	say_text(&c, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
	run_turn(loop);
	say(&c, big, 20000);
	expect_eof(&c);
	cr_assert_not_null(strstr(buf_str(&c.in), "431 "));
	hang_up(&c);
	free(big);
	finish();
}

Test(conn, too_many)
{
	struct client first, second;

	start(60000, 1);
	first = dial_websocket();
	second = dial();
	say_text(&second, UPGRADE);
	expect_eof(&second);
	cr_assert_not_null(strstr(buf_str(&second.in), "503 "));
	hang_up(&second);
	hang_up(&first);
	cr_assert(run_until(loop, closed_once, NULL));
	first = dial_websocket();
	hang_up(&first);
	finish();
}

static size_t descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	cr_assert_not_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static bool all_ended(void *arg)
{
	struct client *c = arg;

	for (size_t i = 0; i < FLOOD; i++) {
		pull(&c[i]);
		if (!c[i].eof)
			return false;
	}
	return true;
}

/* They never close their side, and the goodbye waits for that. */
Test(conn, far_too_many)
{
	struct client first, others[FLOOD];
	size_t before, held;

	start(60000, 1);
	first = dial_websocket();
	before = descriptors();
	for (size_t i = 0; i < FLOOD; i++) {
		others[i] = dial();
		say_text(&others[i], UPGRADE);
	}
	cr_assert(run_until(loop, all_ended, others));
	held = descriptors() - before - FLOOD;
	cr_assert_leq(held, 32, "%zu", held);
	for (size_t i = 0; i < FLOOD; i++) {
		cr_assert_not_null(strstr(buf_str(&others[i].in), "503 "),
				   "%zu", i);
		hang_up(&others[i]);
	}
	hang_up(&first);
	finish();
}

Test(listener, out_of_descriptors)
{
	struct rlimit old, tight;
	struct client c;
	int fds[64];
	size_t n = 0;

	start(60000, 0);
	c = dial();
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	tight.rlim_cur = (rlim_t)c.fd + 8;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	while (n < ARRAY_SIZE(fds) && (fds[n] = dup(c.fd)) != -1)
		n++;
	say_text(&c, UPGRADE);
	run_for(loop, 30);
	pull(&c);
	cr_assert_eq(c.in.len, 0);
	while (n > 0)
		close(fds[--n]);
	expect_text(&c, "0{\"sid\"");	/* after the pause */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	hang_up(&c);
	finish();
}

Test(listener, lent_and_taken_back)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct client own, lent;
	unsigned short own_port;
	int fd;

	start(60000, 0);
	own_port = port;
	cr_expect(listener_add(listener, 7, listening_socket()));
	cr_expect_not(listener_add(listener, 7, dup(STDERR_FILENO)));
	lent = dial_websocket();
	listener_remove(listener, 7);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons(port);
	cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), -1);
	close(fd);
	port = own_port;
	own = dial_websocket();
	say_frame(&lent, WS_TEXT, true, "4x", 2);
	expect(&lent, "\x81\x02" "4x", 4);
	listener_drain(listener);
	cr_expect_not(listener_add(listener, 7, dup(STDERR_FILENO)));
	say_frame(&own, WS_TEXT, true, "4y", 2);
	expect(&own, "\x81\x02" "4y", 4);
	cr_expect_not(listener_empty(listener));
	hang_up(&own);
	hang_up(&lent);
	finish();
}
