#include "config.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/master/harness.h"

TestSuite(admin, .timeout = 300);

static unsigned admin_port(const struct rig *r)
{
	json_t *root = rig_json(r, "status --json");
	const char *name = json_string_value(json_object_get(root, "admin"));
	const char *colon;
	unsigned port;

	cr_assert_not_null(name);
	colon = strrchr(name, ':');
	cr_assert_eq(strncmp(name, "127.0.0.1:", 10), 0, "%s", name);
	port = (unsigned)atoi(colon + 1);
	cr_assert_gt(port, 0);
	json_decref(root);
	return port;
}

static int client(unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
		     (ssize_t)strlen(text));
}

/* All until the end, which must come within a minute. Closes fd. */
static const char *hear(int fd)
{
	static char text[1 << 20];
	int64_t end = clock_mono_ms() + 60000;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;
	ssize_t got;

	for (;;) {
		int left = (int)(end - clock_mono_ms());

		cr_assert_eq(poll(&p, 1, left > 0 ? left : 0), 1, "no end");
		got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
	close(fd);
	return text;
}

static const char *ask(unsigned port, const char *method, const char *path)
{
	char request[256];
	int fd = client(port);

	snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: a\r\n\r\n",
		 method, path);
	say(fd, request);
	return hear(fd);
}

/* The answer's body; the status is asserted. */
static const char *get(unsigned port, const char *path, int status)
{
	const char *text = ask(port, "GET", path), *body;
	char line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	cr_assert_eq(strncmp(text, line, strlen(line)), 0, "%s: %s", path, text);
	body = strstr(text, "\r\n\r\n");
	cr_assert_not_null(body);
	return body + 4;
}

static void has(const char *text, const char *want)
{
	cr_expect_not_null(strstr(text, want), "no \"%s\" in\n%s", want, text);
}

/* The value behind a line's name; -1: no such line. */
static int64_t metric(unsigned port, const char *name)
{
	const char *text = get(port, "/metrics", 200);
	size_t n = strlen(name);

	while (text != NULL && strncmp(text, name, n) != 0) {
		text = strchr(text, '\n');
		text = text != NULL ? text + 1 : NULL;
	}
	return text != NULL ? strtoll(text + n, NULL, 10) : -1;
}

static void eventually(unsigned port, const char *name, int64_t want)
{
	int64_t end = clock_mono_ms() + 60000;

	while (metric(port, name) != want) {
		cr_assert_lt(clock_mono_ms(), end, "%s is %ld, not %ld", name,
			     (long)metric(port, name), (long)want);
		poll(NULL, 0, 20);
	}
}

Test(admin, routes_and_methods)
{
	static const struct {
		const char *method, *path, *head;
	} cases[] = {
		{ "GET", "/healthz", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n" },
		{ "GET", "/healthz?x=1", "HTTP/1.1 200 OK\r\n" },
		{ "GET", "/metrics", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n" },
		{ "GET", "/status.json", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" },
		{ "GET", "/readyz", "HTTP/1.1 503 Service Unavailable\r\n" },
		{ "HEAD", "/healthz", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n" },
		{ "HEAD", "/readyz", "HTTP/1.1 503 " },
		{ "POST", "/metrics", "HTTP/1.1 405 Method Not Allowed\r\n" },
		{ "DELETE", "/healthz", "HTTP/1.1 405 Method Not Allowed\r\n" },
		{ "get", "/healthz", "HTTP/1.1 405 Method Not Allowed\r\n" },
		{ "GET", "/", "HTTP/1.1 404 Not Found\r\n" },
		{ "POST", "/metric", "HTTP/1.1 404 Not Found\r\n" },
		{ "GET", "/metrics/", "HTTP/1.1 404 Not Found\r\n" },
		{ "GET", "//metrics", "HTTP/1.1 404 Not Found\r\n" },
	};
	unsigned port;
	struct rig r;

	rig_start(&r, 1, "");
	port = admin_port(&r);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = ask(port, cases[i].method, cases[i].path);
		const char *body = strstr(text, "\r\n\r\n");

		cr_expect_eq(strncmp(text, cases[i].head, strlen(cases[i].head)),
			     0, "%s %s: %s", cases[i].method, cases[i].path, text);
		has(text, "\r\nConnection: close\r\n");
		cr_assert_not_null(body);
		cr_expect_eq(body[4] == '\0', strcmp(cases[i].method, "HEAD") == 0,
			     "%s %s", cases[i].method, cases[i].path);
		cr_expect_eq(strstr(text, "\r\nAllow: GET, HEAD\r\n") != NULL,
			     strstr(text, " 405 ") != NULL);
	}
	cr_expect_str_eq(get(port, "/nothing", 404), "there are:\n/metrics\n"
			 "/status.json\n/healthz\n/readyz\n");
	cr_expect_str_eq(get(port, "/healthz", 200), "ok\n");
	rig_stop(&r);
}

Test(admin, what_is_no_request)
{
	static const struct {
		const char *text, *head;
	} cases[] = {
		{ "rubbish\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n" },
		{ "GET /metrics HTTP/1.1\nHost: a\n\n", "HTTP/1.1 400 " },
		{ "GET /metrics HTTP/2.0\r\nHost: a\r\n\r\n", "HTTP/1.1 400 " },
		{ "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "HTTP/1.1 400 " },
		{ "GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n" },
		{ "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
		  "hello", "HTTP/1.1 405 " },
	};
	char large[8192] = "GET /metrics HTTP/1.1\r\nHost: a\r\nX: ";
	unsigned port;
	struct rig r;
	int fd;

	rig_start(&r, 1, "");
	port = admin_port(&r);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text;

		fd = client(port);
		say(fd, cases[i].text);
		text = hear(fd);
		cr_expect_eq(strncmp(text, cases[i].head, strlen(cases[i].head)),
			     0, "%s: %s", cases[i].text, text);
	}
	memset(large + strlen(large), 'x', sizeof(large) - 1 - strlen(large));
	large[sizeof(large) - 1] = '\0';
	fd = client(port);
	say(fd, large);
	cr_expect_eq(strncmp(hear(fd), "HTTP/1.1 431 ", 13), 0);
	/* byte by byte is a request like another */
	fd = client(port);
	for (const char *p = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"; *p; p++) {
		say(fd, (char[]){ *p, '\0' });
		poll(NULL, 0, 1);
	}
	has(hear(fd), "\r\n\r\nok\n");
	rig_stop(&r);
}

/* Its numbers add up; names as whoever watched the reference design knows. */
Test(admin, status_json)
{
	json_t *root, *w;
	char out[64];
	struct rig r;

	rig_start(&r, 2, "");
	rig_answer(rig_connect(&r), out);
	root = json_loads(get(admin_port(&r), "/status.json", 200), 0, NULL);
	cr_assert_not_null(root);
	cr_expect_eq(json_integer_value(json_object_get(root, "connectedSockets")), 0);
	cr_expect(json_is_integer(json_object_get(root, "onlineUsers")));
	cr_expect(json_is_integer(json_object_get(root, "rooms")));
	cr_expect(json_is_integer(json_object_get(root, "uptime")));
	cr_expect_eq(strlen(json_string_value(json_object_get(root, "timestamp"))), 24);
	w = json_object_get(root, "workers");
	cr_expect_eq(json_array_size(w), 2);
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(w, 1),
							   "state")), "ready");
	w = json_object_get(root, "backends");
	cr_expect_str_eq(json_string_value(json_object_get(
		json_object_get(w, "redis"), "state")), "up");
	cr_expect_str_eq(json_string_value(json_object_get(
		json_object_get(w, "store"), "state")), "down");
	cr_expect_eq(json_integer_value(json_object_get(
		json_object_get(root, "totals"), "messages_accepted")), 1);
	json_decref(root);
	rig_stop(&r);
}

Test(admin, ready_when_all_is_there)
{
	const char *body;
	unsigned port;
	struct rig r;
	int64_t end;
	pid_t pid;

	rig_start(&r, 2, "");
	port = admin_port(&r);
	cr_expect_str_eq(get(port, "/readyz", 503),
			 "worker=0 backend=redis_sub state=down\n"
			 "worker=0 backend=postgres state=down\n"
			 "worker=0 backend=listen state=down\n"
			 "worker=0 backend=store state=down\n"
			 "worker=0 backend=push state=down\n"
			 "worker=1 backend=redis_sub state=down\n"
			 "worker=1 backend=postgres state=down\n"
			 "worker=1 backend=listen state=down\n"
			 "worker=1 backend=store state=down\n"
			 "worker=1 backend=push state=down\n");
	rig_set(&r, "whole.0");
	rig_set(&r, "whole.1");
	eventually(port, "pairwire_store_up{worker=\"0\"} ", 1);
	eventually(port, "pairwire_store_up{worker=\"1\"} ", 1);
	cr_expect_str_eq(get(port, "/readyz", 200), "ok\n");
	rig_set(&r, "crash.1");
	pid = (pid_t)rig_slot(&r, 1, "pid");
	kill(pid, SIGKILL);
	eventually(port, "pairwire_worker_up{worker=\"1\"} ", 0);
	body = get(port, "/readyz", 503);
	cr_expect(strcmp(body, "worker=1 state=backoff\n") == 0 ||
		  strcmp(body, "worker=1 state=starting\n") == 0, "%s", body);
	rig_unset(&r, "crash.1");
	for (end = clock_mono_ms() + 60000;
	     strncmp(ask(port, "GET", "/readyz"), "HTTP/1.1 200 ", 13) != 0;
	     poll(NULL, 0, 20))
		cr_assert_lt(clock_mono_ms(), end);
	eventually(port, "pairwire_worker_up{worker=\"1\"} ", 1);
	rig_stop(&r);
}

/* A worker that is not there yet says nothing of it, whatever its page says. */
Test(admin, a_backend_is_what_serving_workers_reach)
{
	unsigned port;
	struct rig r;

	rig_start(&r, 2, "");
	port = admin_port(&r);
	rig_set(&r, "whole.1");
	eventually(port, "pairwire_store_up{worker=\"1\"} ", 1);
	rig_set(&r, "hang.1");
	kill((pid_t)rig_slot(&r, 1, "pid"), SIGKILL);
	cr_assert(rig_saw(&r, "events", "hang "));
	/* It tells its state in each turn. */
	for (int i = 0; i < 10; i++) {
		json_t *root = json_loads(get(port, "/status.json", 200), 0, NULL);
		json_t *store = json_object_get(json_object_get(root, "backends"),
						"store");

		cr_expect_eq(json_integer_value(json_object_get(store,
								"workers")), 0);
		json_decref(root);
		poll(NULL, 0, 20);
	}
	rig_unset(&r, "hang.1");
	rig_stop(&r);
}

/* A worker is killed: what it counted stays with its slot, and the next one
 * goes on from there. */
Test(admin, counters_outlive_workers)
{
	char name[64], out[64];
	int64_t cpu = 0, pid, sum = 0;
	unsigned port;
	struct rig r;

	rig_start(&r, 2, "");
	port = admin_port(&r);
	for (int life = 1; life <= 3; life++) {
		for (int i = 0; i < 5; i++)
			rig_answer(rig_connect(&r), out);
		sum = 0;
		for (unsigned slot = 0; slot < 2; slot++) {
			snprintf(name, sizeof(name), "pairwire_messages_accepted"
				 "_total{worker=\"%u\"} ", slot);
			sum += metric(port, name);
		}
		cr_expect_eq(sum, 5 * life);
		cr_expect_geq(metric(port, "pairwire_worker_cpu_seconds_total"
					   "{worker=\"0\"} "), cpu);
		pid = rig_slot(&r, 0, "pid");
		kill((pid_t)pid, SIGKILL);
		eventually(port, "pairwire_worker_restarts_total{worker=\"0\"} ",
			   life);
		eventually(port, "pairwire_worker_up{worker=\"0\"} ", 1);
		cr_expect_eq(metric(port, "pairwire_messages_accepted_total"
					  "{worker=\"0\"} ") +
			     metric(port, "pairwire_messages_accepted_total"
					  "{worker=\"1\"} "), sum);
		cr_expect_eq(metric(port, "pairwire_store_seconds_count"
					  "{worker=\"0\"} ") +
			     metric(port, "pairwire_store_seconds_count"
					  "{worker=\"1\"} "), sum);
	}
	cr_expect_eq(metric(port, "pairwire_workers "), 2);
	cr_expect_gt(metric(port, "process_start_time_seconds "), 1500000000);
	cr_expect_gt(metric(port, "pairwire_worker_resident_memory_bytes"
				  "{worker=\"1\"} "), 100000);
	cr_expect_eq(metric(port, "pairwire_worker_resident_memory_bytes"
				  "{worker=\"2\"} "), -1);
	rig_stop(&r);
}

/* Callers that say nothing, half of it, or do not read. */
Test(admin, slow_callers_block_nobody)
{
	int idle[60], pipelined;
	unsigned port;
	struct rig r;

	rig_start(&r, 1, "");
	port = admin_port(&r);
	for (int i = 0; i < 60; i++) {
		idle[i] = client(port);
		say(idle[i], i % 2 ? "GET /me" :
		    "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	cr_expect_str_eq(get(port, "/healthz", 200), "ok\n");
	cr_expect_eq(rig_ctl(&r, "status", NULL, 0), 0);
	/* the oldest made room */
	cr_expect_str_eq(hear(idle[1]), "");
	/* who asks twice in one breath is answered once */
	pipelined = client(port);
	say(pipelined, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
		       "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
	has(hear(pipelined), "\r\n\r\nok\n");
	/* and the rest is over in time, whatever it says */
	say(idle[59], "t");
	cr_expect_str_eq(hear(idle[59]), "");
	for (int i = 0; i < 59; i++)
		if (i != 1)
			close(idle[i]);
	rig_stop(&r);
}

/* Spawns with that address and waits for the end; what is in the log. */
static int end_of(struct rig *r, const char *address, const char *want)
{
	char run_dir[96], extra[128];
	int rc;

	memset(r, 0, sizeof(*r));
	strcpy(r->dir, "/tmp/pairwire-test-XXXXXX");
	cr_assert_not_null(mkdtemp(r->dir));
	snprintf(run_dir, sizeof(run_dir), "%s/run", r->dir);
	snprintf(extra, sizeof(extra), "admin_listen = %s\n", address);
	rig_spawn(r, 1, 0, run_dir, extra);
	rc = rig_wait(r);
	cr_expect(rig_sees(r, "log", "%s", want), "%s", address);
	rig_remove(r);
	return rc;
}

Test(admin, addresses_that_cannot_be)
{
	char address[32], want[128];
	struct rig r, bad;

	rig_start(&r, 1, "");
	snprintf(address, sizeof(address), "127.0.0.1:%u", admin_port(&r));
	snprintf(want, sizeof(want), "admin_listen: cannot listen on %s: another "
		 "program listens there\n", address);
	cr_expect_eq(end_of(&bad, address, want), 1);
	cr_expect_eq(end_of(&bad, "192.0.2.1:3002", "admin_listen: cannot listen "
			    "on 192.0.2.1:3002: Cannot assign requested address\n"),
		     1);
	cr_expect_eq(end_of(&bad, "no.such.host.invalid:1",
			    "admin_listen: cannot listen on no.such.host.invalid: "),
		     1);
	cr_expect_eq(end_of(&bad, "3002", "admin_listen: must be HOST:PORT"), 78);
	rig_stop(&r);
}

Test(admin, open_to_all_is_said_and_off_is_off)
{
	json_t *root;
	struct rig r;

	rig_start(&r, 1, "admin_listen = [::]:0\n");
	cr_expect(rig_saw(&r, "log", "admin_listen: whoever reaches [::]:"));
	root = rig_json(&r, "status --json");
	cr_expect_eq(strncmp(json_string_value(json_object_get(root, "admin")),
			     "[::]:", 5), 0);
	json_decref(root);
	rig_stop(&r);

	rig_start(&r, 1, "admin_listen =\n");
	root = rig_json(&r, "status --json");
	cr_expect(json_is_null(json_object_get(root, "admin")));
	json_decref(root);
	cr_expect_eq(rig_count(&r, "log", "whoever reaches"), 0);
	rig_stop(&r);
}

/* When a line of the log was written. */
static int64_t logged_ms(const char *line)
{
	struct tm tm = { 0 };
	const char *rest = strptime(line, "%Y-%m-%dT%H:%M:%S.", &tm);

	cr_assert_not_null(rest, "%s", line);
	return (int64_t)timegm(&tm) * 1000 + atoi(rest);
}

/* How the first status line that tells of messages fits a single one, in the
 * time since the line before: 1.0 is right, 0 when there is none yet. */
static double fit_of_one_message(const struct rig *r)
{
	int64_t before = 0, now = 0;
	char path[128], line[512];
	double rate = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/log", r->dir);
	f = fopen(path, "r");
	cr_assert_not_null(f);
	while (rate == 0 && fgets(line, sizeof(line), f) != NULL) {
		const char *p = strstr(line, " messages_per_s=");

		if (p == NULL || strchr(p, '\n') == NULL)
			continue;
		before = now;
		now = logged_ms(line);
		rate = atof(p + strlen(" messages_per_s="));
	}
	fclose(f);
	return rate * (double)(now - before) / 1000;
}

Test(admin, one_line_in_the_log)
{
	char out[64];
	struct rig r;
	double fit;

	rig_start(&r, 2, "[log]\nstatus_interval = 300ms\n");
	cr_expect(rig_saw(&r, "log", "status: connections=0 sockets=0 "
			  "users=0 online=0 rooms=0 messages_per_s=0.0 "
			  "workers=2/2 backends_down="
			  "redis_sub,postgres,listen,store,push\n"));
	rig_answer(rig_connect(&r), out);
	while ((fit = fit_of_one_message(&r)) == 0)
		poll(NULL, 0, 10);
	cr_expect(fit > 0.7 && fit < 1.3, "%f", fit);
	rig_set(&r, "whole.0");
	rig_set(&r, "whole.1");
	cr_expect(rig_saw(&r, "log", " workers=2/2\n"));
	rig_stop(&r);

	rig_start(&r, 1, "[log]\nstatus_interval = 0s\n");
	rig_answer(rig_connect(&r), out);
	rig_stop(&r);
}
