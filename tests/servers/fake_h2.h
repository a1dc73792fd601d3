/* An HTTP/2 client on fake_h2.js, a server that misbehaves on request, and what
 * came of its requests. PW_TEST_FAKE_H2 is the path of that if it is not where it
 * was built from. */
#ifndef PW_FAKE_H2_H
#define PW_FAKE_H2_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "pushd/h2_client.h"
#include "tests/servers/loop_wait.h"

#define TIMEOUT_MS 20000	/* beyond what a busy machine takes */
#define PING_MS 60000

static struct {
	pid_t pid;
	FILE *to;
	FILE *from;
	char ca[256];
	struct { char kind[32]; unsigned port; } ports[8];
	int nports;
} fake;
static struct loop *loop;
static struct h2_client *client;

/* What became of all requests of the test. */
static struct {
	int sent;
	int told;
	int ok;			/* answered with 200 */
	int reset;		/* -ECONNRESET */
	int not_connected;	/* -ENOTCONN */
	int timed_out;		/* -ETIMEDOUT */
	int err;		/* of the last one */
	int status;
	size_t body;		/* bytes */
	char retry_after[64];
	char apns_id[64];
	bool sending;		/* within h2_client_send() */
} got;

static inline unsigned port_of(const char *kind)
{
	for (int i = 0; i < fake.nports; i++) {
		if (strcmp(fake.ports[i].kind, kind) == 0)
			return fake.ports[i].port;
	}
	cr_assert(false, "no port \"%s\"", kind);
	return 0;
}

static inline void fake_read_start(void)
{
	char line[512];

	while (fgets(line, sizeof(line), fake.from) != NULL) {
		if (strcmp(line, "ready\n") == 0)
			return;
		if (sscanf(line, "ca %255s", fake.ca) == 1)
			continue;
		cr_assert_eq(sscanf(line, "port %31s %u", fake.ports[fake.nports].kind,
				    &fake.ports[fake.nports].port), 2, "%s", line);
		fake.nports++;
	}
	cr_assert(false, "the fake server did not start");
}

static inline void fake_start(void)
{
	const char *path = getenv("PW_TEST_FAKE_H2");
	int in[2], out[2];

	if (path == NULL)
		path = SOURCES "/tests/servers/fake_h2.js";
	cr_assert_eq(access(path, R_OK), 0, "no fake server at %s", path);
	cr_assert_eq(pipe(in), 0);
	cr_assert_eq(pipe(out), 0);
	fake.pid = fork();
	if (fake.pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execlp("node", "node", path, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	fake.to = fdopen(in[1], "w");
	fake.from = fdopen(out[0], "r");
	fake_read_start();
}

/* Says a line; returns once it is obeyed, with the number of "count …". */
static inline int PRINTF(1, 2) tell(const char *fmt, ...)
{
	char line[128];
	int count = -1;
	va_list ap;

	va_start(ap, fmt);
	vfprintf(fake.to, fmt, ap);
	va_end(ap);
	fputc('\n', fake.to);
	fflush(fake.to);
	while (fgets(line, sizeof(line), fake.from) != NULL &&
	       strncmp(line, "done", 4) != 0)
		sscanf(line, "count %*s %d", &count);
	return count;
}

/* Of this kind, by this host; ends the client that there was. */
static inline void client_to(const char *host, const char *kind, unsigned connections,
			     unsigned timeout_ms, int64_t ping_ms)
{
	char url[128], err[256] = "";

	h2_client_free(&client);
	snprintf(url, sizeof(url), "https://%s:%u", host, port_of(kind));
	client = h2_client_new(loop, &(struct h2_client_conf){
		.name = "test", .url = url, .ca_file = fake.ca,
		.connections = connections, .timeout_ms = timeout_ms,
		.ping_ms = ping_ms }, err);
	cr_assert_not_null(client, "%s", err);
}

static inline void keep_text(char out[64], struct slice s)
{
	snprintf(out, 64, "%.*s", (int)s.n, s.n > 0 ? s.p : "");
}

static inline void on_answer(void *arg, int err, const struct h2_response *r)
{
	bool *told = arg;

	cr_assert(!got.sending, "called back from within h2_client_send()");
	cr_assert(!*told, "called back twice");
	*told = true;
	got.told++;
	got.err = err;
	got.status = r != NULL ? r->status : 0;
	got.ok += got.status == 200;
	got.reset += err == -ECONNRESET;
	got.not_connected += err == -ENOTCONN;
	got.timed_out += err == -ETIMEDOUT;
	if (r == NULL)
		return;
	got.body = r->body.n;
	keep_text(got.retry_after, r->retry_after);
	keep_text(got.apns_id, r->apns_id);
}

static bool told[65536];	/* by number of the request */

static inline void request_with(const char *path, struct slice body, unsigned timeout_ms)
{
	char id[16];
	const struct h2_header headers[] = {
		{ "authorization", "bearer 0123456789", false },
		{ "x-id", id, true },
	};

	snprintf(id, sizeof(id), "%d", got.sent);
	got.sending = true;
	h2_client_send(client, &(struct h2_request){
		.method = "POST", .path = path, .headers = headers, .nheaders = 2,
		.body = body, .timeout_ms = timeout_ms }, on_answer,
		&told[got.sent++ % 65536]);
	got.sending = false;
}

static inline void request(const char *path)
{
	request_with(path, SLICE("{\"a\":1}"), TIMEOUT_MS);
}

static inline void requests(int n, const char *path)
{
	for (int i = 0; i < n; i++)
		request(path);
}

/* Waits until all are told. */
static inline void answers(void)
{
	WAIT_FOR(loop, got.told == got.sent);
	cr_assert_eq(h2_client_pending(client), 0);
}

/* The same, after backoffs of up to 5 s each. */
static inline void answers_at_last(void)
{
	int64_t end = clock_mono_ms() + 40000;

	while (got.told < got.sent) {
		cr_assert_lt(clock_mono_ms(), end, "told %d of %d", got.told, got.sent);
		loop_turn(loop, 5);
	}
}

/* The server answers what it holds until all have been told. */
static inline void release_all(void)
{
	int64_t end = clock_mono_ms() + 30000;

	while (got.told < got.sent) {
		cr_assert_lt(clock_mono_ms(), end, "told %d of %d", got.told, got.sent);
		tell("release");
		loop_turn(loop, 5);
	}
}

/* A connection that has proven itself, so that others follow at once. */
static inline void warm_up(void)
{
	request("/ok");
	answers();
	cr_assert_eq(got.ok, got.sent);
}

static inline void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LVL_INFO);
	fake_start();
	loop = loop_new();
	client_to("localhost", "h2", 1, TIMEOUT_MS, PING_MS);
}

static inline void teardown(void)
{
	h2_client_free(&client);
	loop_free(&loop);
	fclose(fake.to);	/* it ends at the end of its input */
	fclose(fake.from);
	waitpid(fake.pid, NULL, 0);
}

#endif
