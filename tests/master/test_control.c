#include "config.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/ipc/ctl_protocol.h"
#include "common/ipc/stats.h"
#include "common/ipc/ctl_socket.h"
#include "tests/master/harness.h"

TestSuite(control, .timeout = 300);

static int64_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static json_int_t at(const json_t *list, size_t i)
{
	return json_integer_value(json_array_get(list, i));
}

/* A connection counts as a message stored within 1,000 us. */
Test(control, top_tells_times_finely)
{
	json_t *root, *bounds, *cut;
	char answer[64];
	struct rig r;

	rig_start(&r, 1, "");
	rig_answer(rig_connect(&r), answer);
	root = rig_json(&r, "top --json");
	bounds = json_object_get(root, "bounds_us");
	cut = json_object_get(json_array_get(json_object_get(root, "workers"), 0),
			      "store_us");
	cr_assert_gt(json_array_size(bounds), 60);
	cr_assert_eq(json_array_size(cut), json_array_size(bounds) + 1);
	cr_expect_eq(at(cut, 0), 1);
	for (size_t i = 0; i < json_array_size(bounds); i++) {
		cr_expect_eq(at(cut, i + 1), at(bounds, i) > 1000);
		cr_expect(i == 0 || (at(bounds, i) > at(bounds, i - 1) &&
				     4 * at(bounds, i) <= 5 * at(bounds, i - 1)));
	}
	json_decref(root);
	rig_stop(&r);
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
	cr_expect_geq(number(slot, "heartbeat_age_ms"), 0);
	cr_expect_lt(number(slot, "heartbeat_age_ms"), 60000);
	stats = json_object_get(slot, "stats");
	cr_expect_eq(json_object_size(stats), STAT__COUNT);
	cr_expect_eq(number(json_object_get(stats, "store_us"), "count"), 0);

	rig_answer(rig_connect(&r), answer);
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
	FILE *text;

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
	cr_expect(rig_saw(&r, "events", "query 0 {\"cmd\":\"user\",\"args\":"
			  "[\"a \\\"b\"]}"));

	rig_set(&r, "mute.1");
	t = clock_mono_ms();
	text = rig_ask(&r, "user u");
	root = rig_json(&r, "user u --json");
	cr_expect_geq(clock_mono_ms() - t, 4900);
	cr_expect_eq(json_array_size(json_object_get(root, "devices")), 2);
	one = json_array_get(json_object_get(root, "unanswered"), 0);
	cr_expect_eq(number(one, "slot"), 1);
	json_decref(root);
	cr_expect_eq(rig_asked(text, out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "sid  transport  since"), "%s", out);
	cr_expect_not_null(strstr(out, "2023-11-14T22:13:20Z"), "%s", out);
	cr_expect_not_null(strstr(out, "slot 1 (instance"), "%s", out);
	cr_expect_not_null(strstr(out, "): no answer within 5 seconds"), "%s", out);
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
	/* left out, it would be the level of all areas */
	cr_expect_eq(rig_ctl(&r, "log debug $(printf '\\377')", out, sizeof(out)),
		     2, "%s", out);
	cr_expect_not_null(strstr(out, "not UTF-8"), "%s", out);
	cr_expect_eq(rig_ctl(&r, "status >/dev/full", out, sizeof(out)), 1);
	cr_expect_eq(rig_ctl(&r, "--help", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "  status "), "%s", out);
	cr_expect_not_null(strstr(out, "  user "), "%s", out);
	snprintf(conf, sizeof(conf), "-c %s/conf status", r.dir);
	cr_expect_eq(rig_ctl(&r, conf, out, sizeof(out)), 0);
	cr_expect_eq(rig_ctl(&r, "-s /nonexistent status", out, sizeof(out)), 3);
	cr_expect_str_eq(out, "pairwirectl: no master at /nonexistent: No such "
			 "file or directory\n");
	kill(r.master, SIGKILL);
	rig_wait(&r);
	cr_expect_eq(rig_ctl(&r, "status", out, sizeof(out)), 3);
	cr_expect_not_null(strstr(out, "Connection refused"), "%s", out);
	rig_remove(&r);
}

static int client(const struct rig *r)
{
	int fd = ctl_socket_connect(r->socket, 10000);

	cr_assert_geq(fd, 0);
	return fd;
}

/* With its queue full, a stopped master lets nobody in. */
Test(control, a_stuck_master_is_given_up)
{
	char out[4096], want[160];
	int queue[1000], n = 0, fd;
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
	while (n < 1000 && (fd = ctl_socket_connect(r.socket, 200)) >= 0)
		queue[n++] = fd;
	cr_assert_lt(n, 1000);
	cr_expect_eq(fd, -ETIMEDOUT);
	cr_expect_eq(ctl_socket_listen(r.socket, out), -EADDRINUSE);
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
	cr_assert_eq(poll(&p, 1, 60000), 1);
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

/* Also who has not asked yet: his question may be on its way. */
Test(control, who_waits_is_told_of_the_end)
{
	int idle[3], served;
	char out[16384];
	struct rig r;

	rig_start(&r, 1, "");
	served = client(&r);
	send_frame(served, "{\"v\":1,\"cmd\":\"status\"}");
	get_frame(served, out, sizeof(out));
	for (int i = 0; i < 3; i++)
		idle[i] = client(&r);
	kill(r.master, SIGTERM);
	cr_assert_eq(rig_wait(&r), 0);
	for (int i = 0; i < 4; i++) {
		int fd = i < 3 ? idle[i] : served;

		get_frame(fd, out, sizeof(out));
		cr_expect_str_eq(out, "{\"ok\":false,\"error\":\"pairwire is "
				 "stopping\"}");
		get_frame(fd, out, sizeof(out));
		cr_expect_str_eq(out, "");
		close(fd);
	}
	cr_expect_eq(access(r.socket, F_OK), -1);
	rig_remove(&r);
}

/* Who only is there, and who changes something again and again. */
Test(control, who_asks_during_an_upgrade_is_answered)
{
	char cmd[512], out[4096], said[512];
	struct rig r;
	FILE *asking;
	int idle;

	rig_start_installed(&r, 1, "");
	snprintf(cmd, sizeof(cmd), "until [ -e '%s/enough' ]; do %s -s '%s' log "
		 "default 2>&1 >/dev/null || echo $?; done", r.dir, CTL, r.socket);
	asking = popen(cmd, "r");
	cr_assert_not_null(asking);
	idle = client(&r);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(rig_ctl(&r, "upgrade", said, sizeof(said)), 0, "%s",
			     said);
	rig_set(&r, "enough");
	cr_expect_eq(rig_asked(asking, out, sizeof(out)), 0);
	cr_expect_str_eq(out, "");
	get_frame(idle, said, sizeof(said));
	cr_expect_str_eq(said, "{\"ok\":false,\"error\":\"pairwire is being "
			 "upgraded: ask again\",\"again\":true}");
	close(idle);
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

/* But for the line of a path, which may be any length. */
static size_t widest(const char *text)
{
	size_t most = 0, n;

	for (; *text != '\0'; text += n + (text[n] != '\0')) {
		n = strcspn(text, "\n");
		if (memmem(text, n, "/pairwire.conf", 14) == NULL)
			most = n > most ? n : most;
	}
	return most;
}

/* Also when a worker drains, of which more is said. */
Test(control, what_is_printed_fits_80_columns)
{
	static const char *const texts[] = { "help", "status", "workers", "top" };
	char out[16384];
	struct rig r;

	setenv("COLUMNS", "80", 1);
	rig_start(&r, 2, "");
	rig_set(&r, "stay.0");
	cr_expect_eq(rig_ctl(&r, "drain 0", out, sizeof(out)), 0, "%s", out);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cr_expect_eq(rig_ctl(&r, texts[i], out, sizeof(out)), 0);
		cr_expect_leq(widest(out), 80, "%s", out);
	}
	rig_unset(&r, "stay.0");
	rig_stop(&r);
}

/* What pairwirectl shows on a terminal of 80x24; `keys` are typed when it has
 * shown `after`. Its status. */
static int on_terminal(const struct rig *r, const char *command, bool colours,
		       const char *after, const char *keys, char *out, size_t size)
{
	struct winsize w = { .ws_row = 24, .ws_col = 80 };
	size_t n = 0;
	int fd, status;
	pid_t pid = forkpty(&fd, NULL, NULL, &w);

	cr_assert_neq(pid, -1);
	if (pid == 0) {
		setenv("TERM", "xterm", 1);
		if (colours)
			unsetenv("NO_COLOR");
		else
			setenv("NO_COLOR", "1", 1);
		execl(CTL, "pairwirectl", "-s", r->socket, command, NULL);
		_exit(99);
	}
	for (ssize_t got; n < size - 1; n += (size_t)got) {
		got = read(fd, out + n, size - 1 - n);
		if (got <= 0)
			break;
		out[n + (size_t)got] = '\0';
		if (keys != NULL && strstr(out, after) != NULL) {
			cr_assert_gt(write(fd, keys, strlen(keys)), 0);
			keys = NULL;
		}
	}
	out[n] = '\0';
	close(fd);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(control, on_a_terminal)
{
	static const char *const quits[] = { "q", "\003" };
	char out[65536];
	struct rig r;

	rig_start(&r, 2, "");
	cr_expect_eq(on_terminal(&r, "status", true, "", NULL, out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "\033[1mslot"), "%s", out);
	cr_expect_not_null(strstr(out, "\033[1;31mdown\033["), "%s", out);
	cr_expect_eq(on_terminal(&r, "status", false, "", NULL, out, sizeof(out)), 0);
	cr_expect_null(strchr(out, '\033'), "%s", out);
	for (size_t i = 0; i < ARRAY_SIZE(quits); i++) {
		char *screen, *end;

		cr_expect_eq(on_terminal(&r, "top", true, "quit", quits[i], out,
					 sizeof(out)), 0);
		screen = strstr(out, "\033[?1049h");
		cr_assert_not_null(screen, "%s", out);
		cr_expect_not_null(strstr(screen, "2 of 2 workers"), "%s", out);
		end = strstr(screen, "\033[?25h\033[?1049l");
		cr_assert_not_null(end, "the terminal as it was");
		cr_expect_eq(strlen(end), strlen("\033[?25h\033[?1049l"));
	}
	rig_stop(&r);
}

Test(control, top_without_a_terminal)
{
	char out[16384];
	static const char *const helps[] = {
		"help top", "help top x", "top --help", "help top --help",
		"--help top",
	};
	struct rig r;
	char *second;

	rig_start(&r, 2, "");
	cr_expect_eq(rig_ctl(&r, "top -d 0.2", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, " on test-node: ready, up "), "%s", out);
	cr_expect_not_null(strstr(out, ", 2 of 2 workers "), "%s", out);
	cr_expect_not_null(strstr(out, "\nbackends: redis up"), "%s", out);
	cr_expect_not_null(strstr(out, "store DOWN"), "%s", out);
	cr_expect_null(strchr(out, '\033'), "no colours");
	cr_expect_eq(rig_ctl(&r, "top -d 0.1 -n 2 -b", out, sizeof(out)), 0);
	second = strstr(out, "\n\npairwire ");
	cr_expect_not_null(second, "%s", out);
	cr_expect_eq(rig_ctl(&r, "top -d 0", out, sizeof(out)), 2);
	cr_expect_eq(rig_ctl(&r, "top -n 0", out, sizeof(out)), 2);
	cr_expect_eq(rig_ctl(&r, "status -b", out, sizeof(out)), 2);
	cr_expect_eq(rig_ctl(&r, "top -s /nonexistent", out, sizeof(out)), 3);
	for (size_t i = 0; i < ARRAY_SIZE(helps); i++) {
		cr_expect_eq(rig_ctl(&r, helps[i], out, sizeof(out)), 0, "%s: %s",
			     helps[i], out);
		cr_expect_not_null(strstr(out, "top [-d SECONDS] [-n COUNT] "
					  "[-b]\n"), "%s", out);
	}
	cr_expect_eq(rig_ctl(&r, "help help", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "\ncommands:\n"), "%s", out);
	cr_expect_eq(rig_ctl(&r, "help nonsense", out, sizeof(out)), 2);
	cr_expect_eq(rig_ctl(&r, "-x", out, sizeof(out)), 2);
	cr_expect_eq(strncmp(out, "pairwirectl: ", 13), 0, "%s", out);
	cr_expect_eq(rig_ctl(&r, "stauts", out, sizeof(out)), 2);
	cr_expect_not_null(strstr(out, "; did you mean 'status'?\n"), "%s", out);
	rig_stop(&r);
}
