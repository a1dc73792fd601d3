#include "config.h"

#include "tests/master/harness.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"

/* For whatever must happen; only a failing test waits so long. */
#define WAIT_MS 60000

static void nap(void)
{
	poll(NULL, 0, 10);
}

static void write_conf(const struct rig *r, unsigned workers, unsigned port,
		       const char *run_dir, const char *extra)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/conf", r->dir);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fprintf(f, "[server]\nlisten = 127.0.0.1\nport = %u\nworkers = %u\n"
		"node = test-node\nrun_dir = %s\n%s%s%s%s"
		"[auth]\njwt_secret = \"s ; x\"\n"
		"[directory]\ndatabase_url = postgresql://h/d\n", port, workers,
		run_dir, strstr(extra, "admin_listen") != NULL ? "" :
		"admin_listen = 127.0.0.1:0\n",
		strstr(extra, "stuck_timeout") != NULL ? "" : RIG_STUCK,
		strstr(extra, "stop_timeout") != NULL ? "" : RIG_STOP, extra);
	fclose(f);
}

void rig_spawn(struct rig *r, unsigned workers, unsigned port,
	       const char *run_dir, const char *extra)
{
	char conf[128], log[128], worker[256], program[256];
	pid_t parent = getpid();

	if (*r->dir == '\0') {
		strcpy(r->dir, "/tmp/pairwire-test-XXXXXX");
		cr_assert_not_null(mkdtemp(r->dir));
	}
	snprintf(r->socket, sizeof(r->socket), "%s/control.sock", run_dir);
	write_conf(r, workers, port, run_dir, extra);
	snprintf(conf, sizeof(conf), "%s/conf", r->dir);
	snprintf(log, sizeof(log), "%s/log", r->dir);
	r->master = fork();
	if (r->master != 0)
		return;
	/* A test that fails does not leave a master behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (getppid() != parent || fd == -1)
		_exit(126);
	dup2(fd, STDERR_FILENO);
	dup2(fd, STDOUT_FILENO);
	setenv("FAKE_DIR", r->dir, 1);
	snprintf(worker, sizeof(worker), "%s/worker", r->dir);
	snprintf(program, sizeof(program), "%s/pairwire", r->dir);
	if (access(program, F_OK) == -1) {
		strcpy(worker, FAKE_WORKER);
		strcpy(program, MASTER);
	}
	setenv("PAIRWIRE_WORKER", worker, 1);
	execl(program, program, "-c", conf, (char *)NULL);
	_exit(127);
}

static void read_file(const struct rig *r, const char *name, char *out, size_t n)
{
	char path[128];
	ssize_t got = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	fd = open(path, O_RDONLY);
	if (fd != -1) {
		got = read(fd, out, n - 1);
		close(fd);
	}
	out[got > 0 ? got : 0] = '\0';
}

bool rig_saw(const struct rig *r, const char *file, const char *fmt, ...)
{
	int64_t end = clock_mono_ms() + WAIT_MS;
	char want[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	while (rig_count(r, file, want) == 0) {
		if (clock_mono_ms() > end)
			return false;
		nap();
	}
	return true;
}

bool rig_sees(const struct rig *r, const char *file, const char *fmt, ...)
{
	char want[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	return rig_count(r, file, want) != 0;
}

int rig_count(const struct rig *r, const char *file, const char *want)
{
	static char text[1 << 20];
	int n = 0;

	read_file(r, file, text, sizeof(text));
	for (const char *p = text; (p = strstr(p, want)) != NULL; p++)
		n++;
	return n;
}

/* Writes it beside, and moves it there. */
static void install(const struct rig *r, const char *name, const void *p,
		    size_t n)
{
	char path[128], made[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	snprintf(made, sizeof(made), "%s.new", path);
	fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	cr_assert_neq(fd, -1);
	cr_assert_eq(write(fd, p, n), (ssize_t)n);
	close(fd);
	cr_assert_eq(rename(made, path), 0);
}

void rig_install(const struct rig *r, const char *name, const char *version)
{
	bool worker = strcmp(name, "worker") == 0;
	int fd = open(worker ? FAKE_WORKER : MASTER, O_RDONLY | O_CLOEXEC);
	size_t len = strlen(PACKAGE_VERSION);
	struct stat st;
	char *image;

	cr_assert_eq(strlen(version), len);
	cr_assert_eq(fstat(fd, &st), 0);
	image = malloc((size_t)st.st_size);
	cr_assert_eq(read(fd, image, (size_t)st.st_size), st.st_size);
	close(fd);
	for (char *at = image, *end = image + st.st_size;
	     (at = memmem(at, (size_t)(end - at), PACKAGE_VERSION, len)) != NULL;
	     at += len)
		memcpy(at, version, len);
	install(r, name, image, (size_t)st.st_size);
	free(image);
}

void rig_install_script(const struct rig *r, const char *name, const char *text)
{
	install(r, name, text, strlen(text));
}

enum programs { BUILT, INSTALLED, LINKED };

static void start(struct rig *r, unsigned workers, const char *extra,
		  enum programs which)
{
	static char text[1 << 16];
	char run_dir[80], link[96];
	const char *p;

	memset(r, 0, sizeof(*r));
	strcpy(r->dir, "/tmp/pairwire-test-XXXXXX");
	cr_assert_not_null(mkdtemp(r->dir));
	if (which != BUILT) {
		rig_install(r, "worker", PACKAGE_VERSION);
		rig_install(r, which == LINKED ? "first" : "pairwire",
			    PACKAGE_VERSION);
	}
	snprintf(link, sizeof(link), "%s/pairwire", r->dir);
	if (which == LINKED)
		cr_assert_eq(symlink("first", link), 0);
	snprintf(run_dir, sizeof(run_dir), "%s/run", r->dir);
	rig_spawn(r, workers, 0, run_dir, extra);
	for (int64_t end = clock_mono_ms() + WAIT_MS;; nap()) {
		read_file(r, "log", text, sizeof(text));
		p = strstr(text, "workers on 127.0.0.1:");
		if (p != NULL && strchr(p, '\n') != NULL)
			break;
		cr_assert_lt(clock_mono_ms(), end, "not ready: %s", text);
		cr_assert_eq(waitpid(r->master, NULL, WNOHANG), 0, "%s", text);
	}
	r->port = (unsigned)atoi(p + strlen("workers on 127.0.0.1:"));
}

void rig_start(struct rig *r, unsigned workers, const char *extra)
{
	start(r, workers, extra, BUILT);
}

void rig_start_installed(struct rig *r, unsigned workers, const char *extra)
{
	start(r, workers, extra, INSTALLED);
}

void rig_start_linked(struct rig *r, unsigned workers)
{
	start(r, workers, "", LINKED);
}

int rig_wait(struct rig *r)
{
	int64_t end = clock_mono_ms() + WAIT_MS;
	int status;

	while (waitpid(r->master, &status, WNOHANG) == 0) {
		if (clock_mono_ms() > end) {
			kill(r->master, SIGKILL);
			waitpid(r->master, &status, 0);
			return -1;
		}
		nap();
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void rig_remove(struct rig *r)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", r->dir);
	cr_assert_eq(system(cmd), 0);
}

void rig_stop(struct rig *r)
{
	kill(r->master, SIGTERM);
	cr_assert_eq(rig_wait(r), 0);
	rig_remove(r);
}

void rig_set(const struct rig *r, const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	cr_assert_neq(fd, -1);
	close(fd);
}

void rig_unset(const struct rig *r, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	cr_assert_eq(unlink(path), 0);
}

int rig_connect(const struct rig *r)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)r->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

void rig_answer(int fd, char out[64])
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n = -1;

	if (poll(&p, 1, WAIT_MS) == 1)
		n = recv(fd, out, 63, 0);
	out[n > 0 ? n : 0] = '\0';
	close(fd);
}

FILE *rig_ask(const struct rig *r, const char *args)
{
	char cmd[512];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "%s -s '%s' %s 2>&1", CTL, r->socket, args);
	f = popen(cmd, "r");
	cr_assert_not_null(f);
	return f;
}

int rig_asked(FILE *f, char *out, size_t n)
{
	size_t got = 0;
	int rc;

	if (out != NULL) {
		got = fread(out, 1, n - 1, f);
		out[got] = '\0';
	} else {
		while (fgetc(f) != EOF)
			;
	}
	rc = pclose(f);
	return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

int rig_ctl(const struct rig *r, const char *args, char *out, size_t n)
{
	return rig_asked(rig_ask(r, args), out, n);
}

json_t *rig_json(const struct rig *r, const char *args)
{
	static char out[1 << 18];
	json_t *root;

	cr_assert_eq(rig_ctl(r, args, out, sizeof(out)), 0, "%s: %s", args, out);
	root = json_loads(out, 0, NULL);
	cr_assert_not_null(root, "%s", out);
	return root;
}

int64_t rig_slot(const struct rig *r, unsigned slot, const char *key)
{
	json_t *root = rig_json(r, "status --json");
	json_t *v = json_object_get(
		json_array_get(json_object_get(root, "slots"), slot), key);
	int64_t n = json_is_integer(v) ? json_integer_value(v) : -1;

	json_decref(root);
	return n;
}
