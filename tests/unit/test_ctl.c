/* pairwirectl against a master that means no good: what it prints of any answer,
 * and what it does with none. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/ipc/ctl_protocol.h"
#include "common/ipc/ctl_socket.h"
#include "ctl/ask.h"
#include "ctl/command.h"
#include "ctl/top_layout.h"

TestSuite(ctl, .timeout = 240);

/* --- any answer can be printed --- */

/* What real answers are like, of all commands: each is given to each. */
static const char *const answers[] = {
	"{\"version\":\"1\",\"node\":\"n\",\"host\":\"::\",\"port\":1,"
	"\"admin\":\"a\",\"pid\":1,\"state\":\"ready\",\"uptime_ms\":1,"
	"\"workers\":2,\"ready\":2,\"config\":\"/f\",\"slots\":[{\"slot\":0,"
	"\"instance\":1,\"pid\":3,\"state\":\"ready\",\"restarts\":1,"
	"\"uptime_ms\":99999999,\"successor\":{\"instance\":3},\"stats\":"
	"{\"connections\":3,\"store_us\":{\"count\":1}}}],\"draining\":[{\"slot\":0,"
	"\"instance\":4,\"pid\":5,\"state\":\"draining\",\"since_ms\":1,"
	"\"left_ms\":2,\"stats\":{\"users\":1}}],\"upgrade\":{\"state\":\"failed\","
	"\"reason\":\"r\",\"from\":\"1\",\"to\":\"2\",\"started\":1,"
	"\"finished\":2},\"totals\":{\"redis_up\":1,\"users\":2}}",
	"{\"devices\":[{\"sid\":\"s\",\"transport\":\"t\",\"since\":1700000000000,"
	"\"slot\":0,\"instance\":1}],\"unanswered\":[{\"slot\":1,\"instance\":2,"
	"\"reason\":\"r\"}],\"user\":\"u\",\"instances\":[1]}",
	"{\"id\":\"66aa\",\"events\":[{\"time\":\"2026-01-01T00:00:00.000Z\","
	"\"us\":1,\"event\":\"stored\",\"after_arrival_us\":5,\"slot\":0,"
	"\"instance\":1,\"alive\":false},{\"event\":\"routed\",\"instances\":2}],"
	"\"other_hosts\":[\"b\"],\"hosts_unknown\":\"w\"}",
	"{\"mono_us\":5,\"slots\":1,\"ready\":1,\"online\":2,\"backends\":[{\"name\":"
	"\"redis\",\"workers\":1,\"up\":1}],\"bounds_us\":[1,2,3],\"workers\":[{"
	"\"slot\":0,\"instance\":1,\"state\":\"ready\",\"left_ms\":4,"
	"\"connections\":5,\"messages_accepted\":7,\"cpu_us\":8,\"rss\":9,"
	"\"store_us\":[3,1,2,3],\"confirm_us\":[]}]}",
	"{\"live\":[\"a\"],\"workers\":[\"b\"],\"restart\":[],\"pushd\":[\"c\"]}",
	"{\"slot\":1,\"instance\":2,\"draining\":3,\"grace_ms\":1800000}",
	"{\"rows\":[{\"name\":\"n\",\"ok\":false,\"text\":\"t\",\"todo\":\"d\"}]}",
	"[{\"name\":\"n\",\"ok\":true,\"text\":\"t\",\"todo\":\"d\"}]",
	"{\"token\":\"t\",\"expires\":1700000000}",
	"{\"level\":\"info\",\"area\":\"redis\",\"workers\":2}",
};

static uint32_t seed = 1;

static uint32_t pick(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static json_t *something(void)
{
	static char much[5000];

	memset(much, 'm', sizeof(much) - 1);
	switch (pick(12)) {
	case 0: return json_null();
	case 1: return json_true();
	case 2: return json_integer(INT64_MIN);
	case 3: return json_integer(INT64_MAX);
	case 4: return json_integer(-1);
	case 5: return json_real(1e308);
	case 6: return json_string("");
	case 7: return json_string("%s%n\033[2J\n\xc2\x9b");
	case 8: return json_string(much);
	case 9: return json_array();
	case 10: return json_pack("[i, s, {}, []]", 3, "x");
	default: return json_object();
	}
}

/* Something else in the place of something that is there. */
static json_t *mutated(const json_t *v)
{
	json_t *out, *one;
	const char *key;
	size_t i;

	if (pick(12) == 0)
		return something();
	if (json_is_object(v)) {
		out = json_object();
		json_object_foreach((json_t *)(uintptr_t)v, key, one)
			if (pick(20) != 0)
				json_object_set_new(out, key, mutated(one));
		return out;
	}
	if (json_is_array(v)) {
		out = json_array();
		json_array_foreach(v, i, one)
			for (uint32_t n = pick(20) == 0 ? 30 : 1; n > 0; n--)
				json_array_append_new(out, mutated(one));
		return out;
	}
	return json_deep_copy(v);
}

static bool has_control(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)s[i] < 0x20 && s[i] != '\n') ||
		    s[i] == 0x7f || ((unsigned char)s[i] == 0xc2 &&
				     i + 1 < n && (unsigned char)s[i + 1] < 0xa0))
			return true;
	return false;
}

static void print_with_all(const json_t *data)
{
	struct top_view view = { .columns = (int)pick(200) + 1, .clock = "" };
	struct top_sample s;
	struct buf out = { 0 };

	for (size_t i = 0; i < commands_n; i++)
		commands[i].print(data);
	top_sample_read(data, &s);
	(void)top_layout(&s, &s, &view, &out);
	top_sample_free(&s);
	buf_free(&out);
}

Test(ctl, any_answer_can_be_printed)
{
	char name[] = "/tmp/pw-ctl.XXXXXX";
	static char text[65536];
	int fd = mkstemp(name);
	size_t n;
	FILE *f;

	cr_assert_neq(fd, -1);
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		json_t *root = json_loads(answers[i], 0, NULL);

		cr_assert_not_null(root, "%s", answers[i]);
		for (int n_of = 0; n_of < 300; n_of++) {
			json_t *m = mutated(root);

			answer_clean(m);
			cr_assert_not_null(freopen(name, "w", stdout));
			print_with_all(m);
			fflush(stdout);
			f = fopen(name, "r");
			while ((n = fread(text, 1, sizeof(text), f)) > 0)
				cr_assert_not(has_control(text, n));
			fclose(f);
			json_decref(m);
		}
		json_decref(root);
	}
	unlink(name);
}

Test(ctl, control_characters_are_shown_as_question_marks)
{
	json_t *v = json_pack("{s:s, s:[s, {s:s}]}", "a\033k", "1\n2", "b",
			      "\x7f\xc2\x85\xc3\xa4", "c", "plain");
	char *text;

	answer_clean(v);
	text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);
	cr_expect_str_eq(text, "{\"a?k\":\"1?2\",\"b\":[\"???\xc3\xa4\","
			 "{\"c\":\"plain\"}]}");
	free(text);
	json_decref(v);
}

Test(ctl, the_nearest_command_is_named)
{
	cr_expect_str_eq(command_nearest("stauts"), "status");
	cr_expect_str_eq(command_nearest("explian"), "explain");
	cr_expect_str_eq(command_nearest("tpo"), "top");
	cr_expect_null(command_nearest("elephant"));
	cr_expect_null(command_nearest(""));
}

/* --- a master that answers anything at all --- */

static void frame(int fd, uint32_t n, const char *text)
{
	uint32_t be = htonl(n);

	(void)!send(fd, &be, sizeof(be), MSG_NOSIGNAL);
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void says_nothing(int fd) { (void)fd; pause(); }
static void hangs_up(int fd) { (void)fd; }
static void short_frame(int fd) { frame(fd, 100, "{"); }
static void half_a_length(int fd) { (void)!send(fd, "\0\0", 2, MSG_NOSIGNAL); }
static void huge_length(int fd) { frame(fd, 0xffffffff, "{"); pause(); }
static void garbage(int fd) { frame(fd, 8, "garbage!"); pause(); }
static void empty(int fd) { frame(fd, 0, ""); pause(); }
static void wrong_type(int fd) { frame(fd, 4, "[42]"); pause(); }
static void no_ok(int fd) { frame(fd, 2, "{}"); pause(); }
static void ok_text(int fd) { frame(fd, 10, "{\"ok\":\"1\"}"); pause(); }
static void no_error(int fd) { frame(fd, 12, "{\"ok\":false}"); pause(); }

static void refuses(int fd)
{
	frame(fd, 29, "{\"ok\":false,\"error\":\"\\u001b\"}");
	pause();
}

static void trickles(int fd)
{
	frame(fd, 100000, "");
	for (;;) {
		if (send(fd, " ", 1, MSG_NOSIGNAL) != 1)
			pause();
		poll(NULL, 0, 20);
	}
}

static void endless(int fd)
{
	static char much[65536];

	frame(fd, 16 * 1024 * 1024, "");
	while (send(fd, much, sizeof(much), MSG_NOSIGNAL) > 0)
		;
	pause();
}

static void goes_on(int fd)
{
	frame(fd, 11, "{\"ok\":true}");
	for (;;)
		frame(fd, 11, "{\"ok\":true}");
}

static const struct {
	const char *name;
	void (*act)(int fd);
	int rc;
	bool waits;	/* until the deadline */
} masters[] = {
	{ "says nothing", says_nothing, -ETIMEDOUT, true },
	{ "hangs up", hangs_up, -ECONNRESET, true },	/* asked again and again */
	{ "short frame", short_frame, -EPROTO, false },
	{ "half a length", half_a_length, -ECONNRESET, false },
	{ "huge length", huge_length, -EPROTO, false },
	{ "garbage", garbage, -EPROTO, false },
	{ "empty", empty, -EPROTO, false },
	{ "wrong type", wrong_type, -EPROTO, false },
	{ "no ok", no_ok, -EPROTO, false },
	{ "ok is text", ok_text, -EPROTO, false },
	{ "no error", no_error, -EPROTO, false },
	{ "refuses", refuses, -EREMOTEIO, false },
	{ "trickles", trickles, -ETIMEDOUT, true },
	{ "endless", endless, -EPROTO, false },
	{ "goes on", goes_on, 0, false },
};

static void stops(int fd)
{
	const char *text = "{\"ok\":false,\"error\":\"pairwire is stopping\"}";

	frame(fd, strlen(text), text);
}

/* The one that comes after it knows. */
static void is_replaced(int fd)
{
	static bool done;
	const char *text = done ? "{\"ok\":true,\"data\":{\"done\":true}}" :
		"{\"ok\":false,\"error\":\"ask again\",\"again\":true}";

	done = true;
	frame(fd, strlen(text), text);
}

static pid_t master(const char *path, void (*act)(int fd))
{
	char err[256];
	int fd = ctl_socket_listen(path, err);
	pid_t pid;

	cr_assert_geq(fd, 0, "%s", err);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			struct pollfd p = { .fd = fd, .events = POLLIN };
			char question[256];
			int client;

			poll(&p, 1, -1);
			client = accept(fd, NULL, NULL);
			if (client == -1)
				continue;
			(void)!recv(client, question, sizeof(question), 0);
			act(client);
			close(client);
		}
	}
	close(fd);
	return pid;
}

/* Who may not connect is told so, and not that there is no master. */
Test(ctl, a_socket_of_others_is_no_missing_master)
{
	char dir[] = "/tmp/pw-ctl.XXXXXX", path[64];
	struct call call = { .socket = path };
	pid_t pid, asker;
	int status = -1;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/control", dir);
	pid = master(path, hangs_up);
	cr_assert_eq(chmod(path, 0), 0);
	asker = fork();
	if (asker == 0) {
		json_t *data = NULL;

		if (geteuid() == 0 && (chmod(dir, 0711) != 0 ||
				       setuid(65534) != 0))
			_exit(99);
		_exit(ask(&call, "status", 60000, &data));
	}
	waitpid(asker, &status, 0);
	cr_expect(WIFEXITED(status));
	cr_expect_eq(WEXITSTATUS(status), EXIT_REFUSED);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(path);
	rmdir(dir);
}

Test(ctl, survives_any_master)
{
	char dir[] = "/tmp/pw-ctl.XXXXXX", path[64];
	struct call call = { .socket = path };

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/control", dir);
	for (size_t i = 0; i < ARRAY_SIZE(masters); i++) {
		pid_t pid = master(path, masters[i].act);
		int64_t began = clock_mono_ms(), took;
		char *error = NULL;
		json_t *data = NULL;
		int rc = ask_quietly(&call, "status",
				     masters[i].waits ? 500 : 60000, &data,
				     &error);

		took = clock_mono_ms() - began;
		/* The last of many answers may have been due when it was over. */
		cr_expect(rc == masters[i].rc ||
				  (masters[i].waits && rc == -ETIMEDOUT),
			  "%s: %d", masters[i].name, rc);
		cr_expect(!masters[i].waits || took >= 400, "%s: %d ms",
			  masters[i].name, (int)took);
		free(error);
		json_decref(data);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		unlink(path);
	}
	rmdir(dir);
}

/* What it says before it hangs up is the answer, also when it has not waited for
 * the question. */
Test(ctl, what_a_master_says_at_its_end)
{
	char dir[] = "/tmp/pw-ctl.XXXXXX", path[64];
	char text[CTL_REQUEST_MAX / 2], *args[] = { text };
	struct call call = { .socket = path, .args = args, .nargs = 1 };
	char *error = NULL;
	json_t *data = NULL;
	pid_t pid;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/control", dir);
	for (int i = 0; i < 20; i++) {
		pid = master(path, stops);
		cr_expect_eq(ask_quietly(&call, "disconnect", 20000, &data, &error),
			     -EREMOTEIO);
		cr_assert_not_null(error);
		cr_expect_str_eq(error, "pairwire is stopping");
		free(error);
		error = NULL;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		unlink(path);
	}
	pid = master(path, is_replaced);
	cr_expect_eq(ask_quietly(&call, "disconnect", 20000, &data, &error), 0);
	cr_expect(json_is_true(json_object_get(data, "done")));
	json_decref(data);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(path);
	rmdir(dir);
}
