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
#include <unistd.h>

#include "common/base/clock.h"
#include "common/ipc/ctl_protocol.h"
#include "common/ipc/stats.h"
#include "master/control_socket.h"
#include "tests/master/harness.h"

TestSuite(control, .timeout = 90);

static int64_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

Test(control, status)
{
	char out[16384], want[128], answer[64];
	json_t *root, *slot, *stats;
	struct rig r;

	rig_start(&r, 2, "");
	root = rig_json(&r, "status --json");
	cr_expect_eq(number(root, "port"), r.port);
	cr_expect_eq(number(root, "pid"), r.master);
	cr_expect_eq(number(root, "workers"), 2);
	cr_expect_eq(number(root, "ready"), 2);
	cr_expect_str_eq(json_string_value(json_object_get(root, "node")),
			 "test-node");
	cr_expect_str_eq(json_string_value(json_object_get(root, "state")),
			 "ready");
	cr_expect_str_eq(json_string_value(json_object_get(root, "version")),
			 PACKAGE_VERSION);
	cr_expect_eq(number(json_object_get(root, "totals"), "redis_up"), 2);
	slot = json_array_get(json_object_get(root, "slots"), 1);
	cr_expect_eq(number(slot, "slot"), 1);
	cr_expect_str_eq(json_string_value(json_object_get(slot, "state")),
			 "ready");
	cr_expect_lt(number(slot, "heartbeat_age_ms"), 3000);
	stats = json_object_get(slot, "stats");
	cr_expect_eq(json_object_size(stats), STAT__COUNT);
	cr_expect_eq(number(json_object_get(stats, "store_us"), "count"), 0);

	rig_answer(rig_connect(&r), 5000, answer);
	cr_expect_eq(rig_ctl(&r, "status", out, sizeof(out)), 0);
	snprintf(want, sizeof(want), "on test-node: ready, 127.0.0.1:%u, up ",
		 r.port);
	cr_expect_not_null(strstr(out, want), "%s", out);
	cr_expect_not_null(strstr(out, "2 of 2 workers ready\n"), "%s", out);
	cr_expect_not_null(strstr(out, "\nslot  instance"), "%s", out);
	cr_expect_not_null(strstr(out, "\n  redis                 up\n"), "%s", out);
	cr_expect_not_null(strstr(out, "\n  message store         down\n"), "%s",
			   out);
	snprintf(want, sizeof(want), "\nmetrics and health: http://%s\n",
		 json_string_value(json_object_get(root, "admin")));
	cr_expect_not_null(strstr(out, want), "%s", out);
	cr_expect_not_null(strstr(out, "\n  messages              accepted 1\n"),
			   "%s", out);
	cr_expect_not_null(strstr(out, "\n  refused by limits     none\n"), "%s",
			   out);
	json_decref(root);
	rig_stop(&r);
}

Test(control, user)
{
	char out[4096];
	json_t *root, *one;
	struct rig r;
	int64_t t;

	rig_start(&r, 3, "");
	root = rig_json(&r, "user 'a \"b' --json");
	cr_expect_eq(json_array_size(json_object_get(root, "devices")), 3);
	cr_expect_eq(json_array_size(json_object_get(root, "unanswered")), 0);
	for (size_t i = 0; i < 3; i++) {
		char sid[8];

		one = json_array_get(json_object_get(root, "devices"), i);
		snprintf(sid, sizeof(sid), "s%d", (int)number(one, "slot"));
		cr_expect_str_eq(json_string_value(json_object_get(one, "sid")),
				 sid);
		cr_expect_gt(number(one, "instance"), 0);
	}
	json_decref(root);
	cr_expect(rig_saw(&r, "events", 1000, "query 0 {\"cmd\":\"user\",\"args\":"
			  "[\"a \\\"b\"]}"));

	rig_set(&r, "mute.1");
	t = clock_mono_ms();
	root = rig_json(&r, "user u --json");
	cr_expect_geq(clock_mono_ms() - t, 900);
	cr_expect_eq(json_array_size(json_object_get(root, "devices")), 2);
	one = json_array_get(json_object_get(root, "unanswered"), 0);
	cr_expect_eq(number(one, "slot"), 1);
	json_decref(root);
	cr_expect_eq(rig_ctl(&r, "user u", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "sid  transport  since"), "%s", out);
	cr_expect_not_null(strstr(out, "2023-11-14T22:13:20Z"), "%s", out);
	cr_expect_not_null(strstr(out, "slot 1 (instance"), "%s", out);
	cr_expect_not_null(strstr(out, "): no answer within 1 second"), "%s", out);
	rig_stop(&r);
}

Test(control, pairwirectl_statuses)
{
	char out[4096], conf[160];
	struct rig r;

	rig_start(&r, 1, "");
	cr_expect_eq(rig_ctl(&r, "", out, sizeof(out)), 2);
	cr_expect_eq(rig_ctl(&r, "nonsense", out, sizeof(out)), 2);
	cr_expect_eq(rig_ctl(&r, "user", out, sizeof(out)), 2);
	cr_expect_eq(rig_ctl(&r, "status now", out, sizeof(out)), 2);
	cr_expect_eq(rig_ctl(&r, "--help", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "  status "), "%s", out);
	cr_expect_not_null(strstr(out, "  user    ID  "), "%s", out);
	snprintf(conf, sizeof(conf), "-c %s/conf status", r.dir);
	cr_expect_eq(rig_ctl(&r, conf, out, sizeof(out)), 0);
	cr_expect_eq(rig_ctl(&r, "-s /nonexistent status", out, sizeof(out)), 3);
	cr_expect_str_eq(out, "pairwirectl: no master at /nonexistent: No such "
			 "file or directory\n");
	kill(r.master, SIGKILL);
	rig_wait(&r, 5000);
	cr_expect_eq(rig_ctl(&r, "status", out, sizeof(out)), 3);
	cr_expect_not_null(strstr(out, "Connection refused"), "%s", out);
	rig_remove(&r);
}

static int client(const struct rig *r)
{
	int fd = control_socket_connect(r->socket, 10000);

	cr_assert_geq(fd, 0);
	return fd;
}

/* With its queue full, a stopped master lets nobody in. */
Test(control, a_stuck_master_is_given_up)
{
	char out[4096], want[160];
	int queue[200], n = 0, fd;
	struct rig r;
	int64_t t;

	rig_start(&r, 1, "");
	kill(r.master, SIGSTOP);
	t = clock_mono_ms();
	cr_expect_eq(rig_ctl(&r, "status", out, sizeof(out)), 3);
	cr_expect_geq(clock_mono_ms() - t, 9000);
	snprintf(want, sizeof(want), "pairwirectl: the master at %s does not "
		 "answer (waited 10 s)\n", r.socket);
	cr_expect_str_eq(out, want);
	while (n < 200 && (fd = control_socket_connect(r.socket, 200)) >= 0)
		queue[n++] = fd;
	cr_assert_lt(n, 200);
	cr_expect_eq(fd, -ETIMEDOUT);
	cr_expect_eq(control_socket_listen(r.socket, out), -EADDRINUSE);
	cr_expect_eq(rig_ctl(&r, "status", out, sizeof(out)), 3);
	cr_expect_str_eq(out, want);
	while (n > 0)
		close(queue[--n]);
	kill(r.master, SIGCONT);
	rig_stop(&r);
}

static void send_frame(int fd, const char *text)
{
	uint32_t be = htonl((uint32_t)strlen(text));

	cr_assert_eq(send(fd, &be, 4, MSG_NOSIGNAL), 4);
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
		     (ssize_t)strlen(text));
}

/* The answer's text, or "" at an end of file. */
static void get_frame(int fd, char *out, size_t n)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint32_t be;
	size_t len;

	*out = '\0';
	cr_assert_eq(poll(&p, 1, 10000), 1);
	if (recv(fd, &be, 4, MSG_WAITALL) != 4)
		return;
	len = ntohl(be);
	cr_assert_lt(len, n);
	cr_assert_eq(recv(fd, out, len, MSG_WAITALL), (ssize_t)len);
	out[len] = '\0';
}

Test(control, refuses_what_it_does_not_understand)
{
	static const struct {
		const char *request, *error;
	} cases[] = {
		{ "", "unknown version of the protocol" },
		{ "{", "unknown version of the protocol" },
		{ "[]", "unknown version of the protocol" },
		{ "{\"cmd\":\"status\"}", "unknown version of the protocol" },
		{ "{\"v\":2,\"cmd\":\"status\"}",
		  "unknown version of the protocol" },
		{ "{\"v\":1}", "malformed request" },
		{ "{\"v\":1,\"cmd\":3}", "malformed request" },
		{ "{\"v\":1,\"cmd\":\"status\",\"args\":{}}", "malformed request" },
		{ "{\"v\":1,\"cmd\":\"user\",\"args\":[3]}", "malformed request" },
		{ "{\"v\":1,\"cmd\":\"reboot\"}", "unknown command" },
		{ "{\"v\":1,\"cmd\":\"status\",\"args\":[\"x\"]}",
		  "usage: status " },
		{ "{\"v\":1,\"cmd\":\"user\"}", "usage: user ID" },
		{ "{\"v\":1,\"cmd\":\"explain\",\"args\":[\"66aa\"]}",
		  "that is no message's id: they have 24 hexadecimal digits" },
	};
	char out[16384], want[128];
	struct rig r;
	int fd;

	rig_start(&r, 1, "");
	fd = client(&r);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		send_frame(fd, cases[i].request);
		get_frame(fd, out, sizeof(out));
		snprintf(want, sizeof(want), "{\"ok\":false,\"error\":\"%s\"}",
			 cases[i].error);
		cr_expect_str_eq(out, want);
	}
	/* unknown members are no obstacle, and the connection still works */
	send_frame(fd, "{\"v\":1,\"cmd\":\"status\",\"new\":[1]}");
	get_frame(fd, out, sizeof(out));
	cr_expect_eq(strncmp(out, "{\"ok\":true,\"data\":{", 19), 0);
	cr_assert_eq(send(fd, "\x00\x01\x00\x01", 4, MSG_NOSIGNAL), 4);
	get_frame(fd, out, sizeof(out));
	cr_expect_str_eq(out, "{\"ok\":false,\"error\":\"the request is too "
			 "large\"}");
	get_frame(fd, out, sizeof(out));
	cr_expect_str_eq(out, "");
	close(fd);
	rig_stop(&r);
}

/* Clients that hang about, send halves, do not read, or send many at once. */
Test(control, slow_clients_block_nobody)
{
	static const char request[] = "{\"v\":1,\"cmd\":\"status\"}";
	char out[16384];
	struct rig r;
	int idle[40], greedy, many;

	rig_start(&r, 1, "");
	greedy = client(&r);
	for (int i = 0; i < 400; i++) {
		uint32_t be = htonl(sizeof(request) - 1);

		if (send(greedy, &be, 4, MSG_DONTWAIT | MSG_NOSIGNAL) != 4 ||
		    send(greedy, request, sizeof(request) - 1,
			 MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
			break;
	}
	for (int i = 0; i < 40; i++) {
		idle[i] = client(&r);
		cr_assert_eq(send(idle[i], "\0\0", 2, MSG_NOSIGNAL), 2);
	}
	cr_expect_eq(rig_ctl(&r, "status", out, sizeof(out)), 0);
	many = client(&r);
	for (int i = 0; i < 20; i++)
		send_frame(many, request);
	for (int i = 0; i < 20; i++) {
		get_frame(many, out, sizeof(out));
		cr_expect_eq(strncmp(out, "{\"ok\":true", 10), 0);
	}
	for (int i = 0; i < 40; i++)
		close(idle[i]);
	close(greedy);
	close(many);
	cr_expect_eq(rig_ctl(&r, "status", out, sizeof(out)), 0);
	rig_stop(&r);
}
