#include "ctl/ask.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ipc/ctl_protocol.h"
#include "common/ipc/ctl_socket.h"

#define AGAIN_MS 50
#define READ_CHUNK 65536

/* Until the socket is ready or the deadline is over. 0 or -errno. */
static int wait_for(int fd, short what, int64_t until_ms)
{
	struct pollfd p = { .fd = fd, .events = what };

	for (;;) {
		int64_t left = until_ms - clock_mono_ms();
		int n;

		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)left);
		if (n == 1)
			return 0;
		if (n == -1 && errno != EINTR)
			return -errno;
	}
}

static int send_all(int fd, struct slice s, int64_t until_ms)
{
	while (s.n > 0) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		int rc = 0;

		if (n > 0)
			s = (struct slice){ s.p + n, s.n - (size_t)n };
		else if (errno == EAGAIN)
			rc = wait_for(fd, POLLOUT, until_ms);
		else if (errno != EINTR)
			rc = -errno;
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Appends n bytes; memory is taken as they come, not as they are announced. */
static int recv_all(int fd, struct buf *b, size_t n, int64_t until_ms)
{
	while (n > 0) {
		size_t room = n < READ_CHUNK ? n : READ_CHUNK;
		ssize_t got;
		int rc = wait_for(fd, POLLIN, until_ms);

		if (rc != 0)
			return rc;
		buf_reserve(b, room);
		got = recv(fd, b->p + b->len, room, MSG_DONTWAIT);
		if (got == 0)
			return -ECONNRESET;
		if (got == -1 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (got > 0) {
			b->len += (size_t)got;
			n -= (size_t)got;
		}
	}
	return 0;
}

/* Nothing when the arguments cannot be sent. */
static void question(const struct call *call, const char *cmd, struct buf *out)
{
	json_t *args = json_array(), *root;
	uint32_t be;
	char *text;

	for (int i = 0; i < call->nargs; i++)
		if (json_array_append_new(args, json_string(call->args[i])) != 0) {
			json_decref(args);
			return;
		}
	root = json_pack("{s:i, s:s, s:o}", "v", CTL_VERSION, "cmd", cmd, "args",
			 args);
	text = json_dumps(root, JSON_COMPACT);
	if (text != NULL && strlen(text) <= CTL_REQUEST_MAX) {
		be = htonl((uint32_t)strlen(text));
		buf_add(out, &be, sizeof(be));
		buf_adds(out, text);
	}
	free(text);
	json_decref(root);
}

/* in: empty; ECONNRESET with an empty one: not a word was said. */
static int talk(int fd, struct slice question, int64_t until_ms, struct buf *in,
		json_t **out)
{
	int rc = send_all(fd, question, until_ms);
	uint32_t n;

	/* Who hung up may have said why before. */
	if (rc == 0 || rc == -EPIPE || rc == -ECONNRESET)
		rc = recv_all(fd, in, sizeof(n), until_ms);
	if (rc != 0)
		return rc;
	memcpy(&n, in->p, sizeof(n));
	n = ntohl(n);
	if (n > CTL_ANSWER_MAX)
		return -EPROTO;
	rc = recv_all(fd, in, n, until_ms);
	if (rc != 0)
		return rc == -ECONNRESET ? -EPROTO : rc;
	*out = json_loadb(in->p + sizeof(n), n, 0, NULL);
	return json_is_object(*out) ? 0 : -EPROTO;
}

static int ask_once(const char *path, struct slice question, int64_t until_ms,
		    bool *silent_out, json_t **out)
{
	int64_t left = until_ms - clock_mono_ms();
	struct buf in = { 0 };
	int fd, rc;

	if (left <= 0)
		return -ETIMEDOUT;
	fd = ctl_socket_connect(path, (unsigned)left);
	if (fd < 0)
		return fd;
	rc = talk(fd, question, until_ms, &in, out);
	*silent_out = in.len == 0;
	buf_free(&in);
	close(fd);
	return rc;
}

static bool only_looks(const char *cmd)
{
	const struct command *c = command_find(cmd);

	return c != NULL && c->who == CTL_LOOK;
}

static int read_answer(json_t *root, json_t **data_out, char **error_out)
{
	const char *error = json_string_value(json_object_get(root, "error"));
	json_t *data = json_object_get(root, "data");

	if (json_is_true(json_object_get(root, "ok"))) {
		*data_out = data != NULL ? json_incref(data) : json_null();
		return 0;
	}
	if (!json_is_false(json_object_get(root, "ok")) || error == NULL)
		return -EPROTO;
	if (error_out != NULL)
		*error_out = mem_strdup(error);
	return -EREMOTEIO;
}

static bool wants_again(const json_t *root)
{
	return !json_is_true(json_object_get(root, "ok")) &&
	       json_is_true(json_object_get(root, "again"));
}

int ask_quietly(const struct call *call, const char *cmd, int deadline_ms,
		json_t **data_out, char **error_out)
{
	static const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000000L };
	int64_t until_ms = clock_mono_ms() + deadline_ms;
	struct buf q = { 0 };
	json_t *root = NULL;
	int rc;

	question(call, cmd, &q);
	if (q.len == 0)
		return -EINVAL;
	for (;;) {
		bool silent = false, again;

		rc = ask_once(call->socket, buf_slice(&q), until_ms, &silent,
			      &root);
		again = rc == 0 ? wants_again(root) :
			rc == -ECONNRESET && silent && only_looks(cmd);
		if (!again || clock_mono_ms() + AGAIN_MS >= until_ms)
			break;
		json_decref(root);
		root = NULL;
		nanosleep(&pause, NULL);
	}
	buf_free(&q);
	if (rc == 0)
		rc = read_answer(root, data_out, error_out);
	json_decref(root);
	return rc;
}

int ask(const struct call *call, const char *cmd, int deadline_ms,
	json_t **data_out)
{
	char *error = NULL;
	int rc = ask_quietly(call, cmd, deadline_ms, data_out, &error);
	json_t *text;

	switch (rc) {
	case 0:
		return EXIT_OK;
	case -EREMOTEIO:
		text = json_string(error);
		answer_clean(text);
		fprintf(stderr, "pairwirectl: %s\n", text != NULL ?
			json_string_value(text) : "refused");
		json_decref(text);
		free(error);
		return EXIT_REFUSED;
	case -EINVAL:
		fputs("pairwirectl: the arguments are too long or not UTF-8\n",
		      stderr);
		return EXIT_USAGE;
	case -EACCES:
		fprintf(stderr, "pairwirectl: %s: only root, and who is in the "
			"group that pairwire runs as, may connect\n",
			call->socket);
		return EXIT_REFUSED;
	case -ETIMEDOUT:
		fprintf(stderr, "pairwirectl: the master at %s does not answer "
			"(waited %d s)\n", call->socket, deadline_ms / 1000);
		break;
	case -EPROTO:
		fprintf(stderr, "pairwirectl: what answers at %s is no master "
			"of ours\n", call->socket);
		break;
	case -ECONNRESET:
		fprintf(stderr, "pairwirectl: the master at %s hung up without "
			"an answer\n", call->socket);
		break;
	default:
		fprintf(stderr, "pairwirectl: no master at %s: %s\n",
			call->socket, strerror(-rc));
	}
	return EXIT_UNREACHABLE;
}

/* C0, DEL, and C1, which in UTF-8 is C2 80 to C2 9F. A new string; NULL: there
 * is nothing to clean. */
static char *cleaned(const char *s)
{
	char *copy = NULL;

	for (size_t i = 0; s[i] != '\0'; i++) {
		unsigned char c = (unsigned char)s[i];
		unsigned char next = (unsigned char)s[i + 1];
		bool c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;

		if (c >= 0x20 && c != 0x7f && !c1)
			continue;
		if (copy == NULL)
			copy = mem_strdup(s);
		copy[i] = '?';
		if (c1)
			copy[++i] = '?';
	}
	return copy;
}

static void clean_object(json_t *o)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(o, next, key, value) {
		char *name = cleaned(key);

		answer_clean(value);
		if (name == NULL)
			continue;
		json_object_set(o, name, value);
		json_object_del(o, key);
		free(name);
	}
}

void answer_clean(json_t *v)
{
	char *text;
	size_t i;
	json_t *one;

	if (json_is_object(v)) {
		clean_object(v);
	} else if (json_is_array(v)) {
		json_array_foreach(v, i, one)
			answer_clean(one);
	} else if (json_is_string(v)) {
		text = cleaned(json_string_value(v));
		if (text != NULL)
			json_string_set(v, text);
		free(text);
	}
}
