/* A store on fake_mongod.js, a MongoDB that misbehaves on request.
 * PW_TEST_FAKE_MONGOD is the path of that if it is not where it was built
 * from. */
#ifndef PW_FAKE_MONGOD_H
#define PW_FAKE_MONGOD_H

#define STORE_ENV "PW_TEST_MONGODB_URI"
#include "tests/servers/store_fixture.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long an operation may take, and how long the driver looks for a server. */
#define PATIENT_MS 30000
#define TIMEOUT_MS 6000
#define SELECTION_MS 700

static struct {
	pid_t pid;
	FILE *to;
	FILE *from;
} fake;
static struct loop *loop;
static struct message_store *store;
static bool up;
static unsigned port;

static inline void fake_path(char *out, size_t n)
{
	const char *path = getenv("PW_TEST_FAKE_MONGOD");

	snprintf(out, n, "%s",
		 path != NULL ? path : SOURCES "/tests/servers/fake_mongod.js");
	cr_assert_eq(access(out, R_OK), 0, "no fake server at %s", out);
}

static inline unsigned fake_start(void)
{
	int in[2], out[2];
	char path[512], line[64] = "";
	unsigned n = 0;

	fake_path(path, sizeof(path));
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
	cr_assert_not_null(fgets(line, sizeof(line), fake.from));
	cr_assert_eq(sscanf(line, "port %u", &n), 1);
	return n;
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

static inline void setup_with(unsigned timeout_ms, unsigned selection_ms)
{
	char url[128];

	signal(SIGPIPE, SIG_IGN);
	port = fake_start();
	snprintf(url, sizeof(url),
		 "mongodb://127.0.0.1:%u/x?replicaSet=fake"
		 "&heartbeatFrequencyMS=500&serverSelectionTimeoutMS=%u"
		 "&socketTimeoutMS=%u",
		 port, selection_ms, 2 * timeout_ms);
	loop = loop_new();
	store = store_new_at(loop, url, timeout_ms, &up);
	WAIT_FOR(loop, up);
}

/* For suites: nothing ends because the machine is slow; a server that is down is
 * soon noticed; operations have a deadline. */
static inline void setup(void)
{
	setup_with(PATIENT_MS, PATIENT_MS);
}

static inline void setup_outages(void)
{
	setup_with(PATIENT_MS, SELECTION_MS);
}

static inline void setup_deadlines(void)
{
	setup_with(TIMEOUT_MS, SELECTION_MS);
}

static inline void teardown(void)
{
	message_store_free(&store);
	loop_free(&loop);
	fclose(fake.to);	/* it ends at the end of its input */
	fclose(fake.from);
	waitpid(fake.pid, NULL, 0);
}

#endif
