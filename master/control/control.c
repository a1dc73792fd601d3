#include "config.h"	/* accept4, ucred */

#include "master/control/control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/ipc/ctl_protocol.h"
#include "common/loop/loop.h"
#include "master/control/control_clients.h"
#include "master/control/control_request.h"

#define READ_CHUNK 16384
#define ACCEPTS 32		/* a turn */
#define ACCEPT_PAUSE_MS 1000
/* How long requests may keep the loop from its other work in one turn. */
#define TURN_US 5000
/* Between two lines in the log about those who may not. */
#define FORBIDDEN_MS 1000

struct control {
	struct loop *loop;
	const struct control_command *commands;
	size_t ncommands;
	void *arg;
	int fd;
	struct io io;
	struct timer pause;
	struct timer turn;
	struct clients clients;
	int64_t forbidden_ms;	/* monotonic; of the last line */
	unsigned forbidden;	/* since */
	char *path;
};

/* --- what a client waits for, or is waited for with --- */

static const int limits_ms[] = {
	[CLIENT_IDLE] = 30000,		/* the next request */
	[CLIENT_ASKING] = 5000,		/* the rest of one */
	[CLIENT_TAKING] = 10000,	/* all of the answer read */
	[CLIENT_WAITING] = 0,		/* our turn, or the command's answer */
};

static bool has_request(const struct client *c)
{
	struct slice text;
	size_t n;

	return control_frame(buf_slice(&c->in), &text, &n) != 0;
}

static enum client_state state_of(const struct client *c)
{
	if (c->out.len > 0)
		return CLIENT_TAKING;
	if (c->busy || has_request(c))
		return CLIENT_WAITING;
	return c->in.len > 0 ? CLIENT_ASKING : CLIENT_IDLE;
}

/* After anything that may have changed what is next. A state has its time once:
 * bytes one by one gain nothing. */
static void settle(struct control *ctl, struct client *c)
{
	static const int watch[] = {
		[CLIENT_IDLE] = IO_READ,
		[CLIENT_ASKING] = IO_READ,
		[CLIENT_TAKING] = IO_WRITE,
		[CLIENT_WAITING] = 0,
	};
	enum client_state state;

	if (c->fd == -1)
		return;
	state = state_of(c);
	if (c->last && (state == CLIENT_IDLE || state == CLIENT_ASKING)) {
		client_close(c);
		return;
	}
	io_watch(&c->io, watch[state]);
	if (state == CLIENT_WAITING && !c->busy) {
		clients_queue(c);
		if (!timer_armed(&ctl->turn))
			timer_arm(&ctl->turn, 0);
	}
	if (state == c->state)
		return;
	c->state = state;
	if (limits_ms[state] > 0)
		timer_arm(&c->limit, limits_ms[state]);
	else
		timer_disarm(&c->limit);
}

static void write_some(struct client *c)
{
	ssize_t n = send(c->fd, c->out.p + c->sent, c->out.len - c->sent,
			 MSG_NOSIGNAL);

	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		client_close(c);
		return;
	}
	if (n > 0)
		client_sent(c, (size_t)n);
}

static void read_some(struct client *c)
{
	ssize_t n;

	buf_reserve(&c->in, READ_CHUNK);
	n = recv(c->fd, c->in.p + c->in.len, READ_CHUNK, 0);
	if (n > 0)
		c->in.len += (size_t)n;
	else if (n == 0)
		c->last = true;	/* what it asked is still answered */
	else if (errno != EAGAIN && errno != EINTR)
		client_close(c);
}

static void on_client(void *arg, int what)
{
	struct client *c = arg;

	if (c->fd == -1)
		return;
	if (what & IO_WRITE)
		write_some(c);
	else
		read_some(c);
	settle(c->control, c);
}

static void on_limit(void *arg)
{
	client_close(arg);
}

/* --- answers --- */

static void answer(struct client *c, json_t *message)
{
	struct control *ctl = c->control;
	char *text = json_dumps(message, JSON_COMPACT);

	json_decref(message);
	if (text == NULL) {
		text = mem_strdup("{\"ok\":false,\"error\":\"the answer is not "
				  "UTF-8\"}");
	} else if (strlen(text) > CTL_ANSWER_MAX) {
		free(text);
		text = mem_strdup("{\"ok\":false,\"error\":\"the answer is too "
				  "large\"}");
	}
	c->busy = false;
	if (c->fd == -1) {
		client_reap(c);
	} else {
		client_put(c, slice_of(text));
		write_some(c);
		settle(ctl, c);
	}
	free(text);
}

static struct client *find_asker(struct control_request r)
{
	return r.control != NULL ? clients_find(&r.control->clients, r.conn) :
				   NULL;
}

void control_answer(struct control_request r, json_t *data)
{
	struct client *c = find_asker(r);

	if (c == NULL) {
		json_decref(data);
		return;
	}
	if (c->change != NULL)
		log_info("control: %s: done uid=%u pid=%d", c->change,
			 (unsigned)c->owner->uid, (int)c->pid);
	answer(c, json_pack("{s:b, s:o}", "ok", 1, "data", data));
}

void control_refuse(struct control_request r, const char *fmt, ...)
{
	struct client *c = find_asker(r);
	char text[256];
	va_list ap;

	if (c == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* cut within a character, or of a file that is no UTF-8 */
	utf8_clean(text);
	if (c->change != NULL)
		log_warn("control: %s: refused: %s uid=%u pid=%d", c->change,
			 text, (unsigned)c->owner->uid, (int)c->pid);
	answer(c, json_pack("{s:b, s:s}", "ok", 0, "error", text));
}

void control_harmless(struct control_request r)
{
	struct client *c = find_asker(r);

	if (c != NULL)
		c->harmless = true;
}

/* --- requests --- */

/* One line a second at most: it is not for them to fill the log. */
static void log_forbidden(struct control *ctl, const struct client *c,
			  const char *line)
{
	int64_t now = clock_mono_ms();

	if (ctl->forbidden_ms != 0 && now - ctl->forbidden_ms < FORBIDDEN_MS) {
		ctl->forbidden++;
		return;
	}
	log_warn("control: %s: refused to one who may not uid=%u pid=%d "
		 "unsaid=%u", line, (unsigned)c->owner->uid, (int)c->pid,
		 ctl->forbidden);
	ctl->forbidden_ms = now;
	ctl->forbidden = 0;
}

static bool allowed(struct control *ctl, struct client *c,
		    const struct control_question *q)
{
	char line[CONTROL_LINE_MAX];

	if (q->command->who != CTL_CHANGE)
		return true;
	control_line(q, line);
	if (!c->owner->trusted) {
		log_forbidden(ctl, c, line);
		return false;
	}
	c->change = mem_strdup(line);
	return true;
}

static void request(struct control *ctl, struct client *c,
		    const struct control_question *q, const char *error)
{
	struct control_request r = { ctl, c->id };

	if (error != NULL)
		control_refuse(r, "%s", error);
	else if (!allowed(ctl, c, q))
		control_refuse(r, "%s needs root or the user that pairwire runs "
			       "as (uid %u)", q->command->name,
			       (unsigned)geteuid());
	else
		q->command->fn(ctl->arg, r, q->args);
}

static void serve(struct control *ctl, struct client *c)
{
	struct control_question q = { 0 };
	const char *error = "the request is too large";
	struct slice text;
	char why[128];
	size_t n = c->in.len;
	int rc = control_frame(buf_slice(&c->in), &text, &n);

	if (rc == 0)
		return;
	client_served(c);
	if (rc == 1)
		error = control_parse(text, ctl->commands, ctl->ncommands, &q, why);
	else
		c->last = true;
	/* before the answer, which looks for the next one */
	buf_consume(&c->in, n);
	c->busy = true;
	request(ctl, c, &q, error);
	control_question_free(&q);
	settle(ctl, c);
}

static void on_turn(void *arg)
{
	struct control *ctl = arg;
	int64_t until_us = clock_mono_us() + TURN_US;
	struct client *c;

	while ((c = clients_next(&ctl->clients)) != NULL) {
		serve(ctl, c);
		if (clock_mono_us() >= until_us)
			break;
	}
	if (clients_waiting(&ctl->clients))
		timer_arm(&ctl->turn, 0);
}

/* --- connections --- */

static void greet(struct control *ctl, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct client *c;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1) {
		close(fd);
		return;
	}
	c = clients_add(&ctl->clients, &peer, fd);
	if (c == NULL)
		return;
	c->control = ctl;
	io_init(&c->io, ctl->loop, fd, on_client, c);
	timer_init(&c->limit, ctl->loop, on_limit, c);
	timer_arm(&c->limit, limits_ms[CLIENT_IDLE]);
	/* most have sent their request by now */
	read_some(c);
	settle(ctl, c);
}

static void on_accept(void *arg, int what)
{
	struct control *ctl = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(ctl->fd, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd != -1) {
			greet(ctl, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EAGAIN)
			return;
		/* Out of descriptors: the socket stays readable, so look away. */
		log_warn("control socket: cannot accept: %s", strerror(errno));
		io_watch(&ctl->io, 0);
		timer_arm(&ctl->pause, ACCEPT_PAUSE_MS);
		return;
	}
}

static void on_pause_over(void *arg)
{
	struct control *ctl = arg;

	io_watch(&ctl->io, IO_READ);
}

struct control *control_new(struct loop *l, int fd, const char *path,
			    const struct control_command *commands, size_t n,
			    void *arg)
{
	struct control *ctl = mem_zalloc(sizeof(*ctl));

	ctl->loop = l;
	ctl->commands = commands;
	ctl->ncommands = n;
	ctl->arg = arg;
	ctl->fd = fd;
	ctl->path = mem_strdup(path);
	clients_init(&ctl->clients, l);
	io_init(&ctl->io, l, fd, on_accept, ctl);
	timer_init(&ctl->pause, l, on_pause_over, ctl);
	timer_init(&ctl->turn, l, on_turn, ctl);
	io_watch(&ctl->io, IO_READ);
	return ctl;
}

int control_fd(const struct control *ctl)
{
	return ctl->fd;
}

/* --- the end --- */

#define STOPPING "pairwire is stopping"

/* Whoever has an answer coming gets as much of it as there is room for, others
 * this one. */
static void dismiss(struct client *c, const char *why, bool again)
{
	char text[160];

	if (c->out.len == 0) {
		snprintf(text, sizeof(text), "{\"ok\":false,\"error\":\"%s\"%s}",
			 why, again ? ",\"again\":true" : "");
		client_put(c, slice_of(text));
	}
	write_some(c);
	client_close(c);
}

void control_leave(struct control *ctl)
{
	struct client *c;

	while ((c = clients_connected(&ctl->clients)) != NULL) {
		bool undone = !c->busy || c->change == NULL || c->harmless;

		dismiss(c, undone ? "pairwire is being upgraded: ask again" :
			"pairwire is being upgraded, and what came of this is not "
			"known: see its log", undone);
	}
}

static void say_goodbye(struct control *ctl)
{
	static const char text[] = "\0\0\0\0{\"ok\":false,\"error\":\"" STOPPING
				   "\"}";
	uint32_t be = htonl(sizeof(text) - 1 - sizeof(be));
	char frame[sizeof(text) - 1];
	struct client *c;
	int fd;

	memcpy(frame, text, sizeof(frame));
	memcpy(frame, &be, sizeof(be));
	while ((fd = accept4(ctl->fd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		if (send(fd, frame, sizeof(frame), MSG_NOSIGNAL) == -1)
			log_debug("control: %s", strerror(errno));
		close(fd);
	}
	while ((c = clients_connected(&ctl->clients)) != NULL)
		dismiss(c, STOPPING, false);
}

void control_free(struct control **cp)
{
	struct control *ctl = *cp;

	if (ctl == NULL)
		return;
	/* nobody comes after the last who are told */
	unlink(ctl->path);
	say_goodbye(ctl);
	clients_free(&ctl->clients);
	timer_free(&ctl->turn);
	timer_free(&ctl->pause);
	io_free(&ctl->io);
	close(ctl->fd);
	free(ctl->path);
	free(ctl);
	*cp = NULL;
}
