#include "bench/conversation_away.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/client.h"
#include "bench/talk_lines.h"
#include "bench/talk_view.h"
#include "common/base/mem.h"

#define LOOK_MS 50
/* A while between what happens and what a person does about it. */
#define PAUSE_MS 300

enum away_state { AWAY_LEAVING, AWAY_WRITING, AWAY_PUSHING };

struct away {
	struct talk *talk;
	void (*done)(struct talk *t);
	enum away_state state;
	struct timer next;
	int fd;			/* what pushd says */
	struct buf said;	/* of it, what is not looked at yet */
};

static unsigned absent(const struct away *a)
{
	return 1 - talk_line_speaker(a->talk->turn);
}

static bool is_it(const struct away *a, const json_t *push)
{
	const char *id = json_string_value(json_object_get(push, "messageId"));

	return id != NULL && strcmp(id, a->talk->steps[a->talk->turn].id) == 0;
}

static const char *text(const json_t *push, const char *key)
{
	const char *s = json_string_value(json_object_get(push, key));

	return s != NULL ? s : "";
}

static void show(const struct away *a, const json_t *push)
{
	const json_t *badge = json_object_get(push, "badge");
	struct buf b = { 0 };

	if (json_is_integer(badge))
		buf_printf(&b, ", badge %" JSON_INTEGER_FORMAT,
			   json_integer_value(badge));
	view_line(absent(a), "<-", "push on %s: \"%s: %s\"%s",
		  text(push, "device"), text(push, "title"), text(push, "body"),
		  buf_str(&b));
	buf_free(&b);
}

/* True: that was it. */
static bool look_at(struct away *a, const char *line, size_t n)
{
	json_t *push = json_loadb(line, n, 0, NULL);
	bool found = push != NULL && is_it(a, push);

	if (found)
		show(a, push);
	json_decref(push);
	return found;
}

static bool look(struct away *a)
{
	const char *end;
	ssize_t n;

	do {
		buf_reserve(&a->said, 4096);
		n = read(a->fd, a->said.p + a->said.len, 4096);
		if (n > 0)
			a->said.len += (size_t)n;
	} while (n > 0);
	while (a->said.len > 0 &&
	       (end = memchr(a->said.p, '\n', a->said.len)) != NULL) {
		size_t len = (size_t)(end - a->said.p);
		bool found = look_at(a, a->said.p, len);

		buf_consume(&a->said, len + 1);
		if (found)
			return true;
	}
	return false;
}

static void on_next(void *arg)
{
	struct away *a = arg;
	struct talk *t = a->talk;

	if (a->state == AWAY_WRITING) {
		a->state = AWAY_PUSHING;
		conversation_send(t, t->turn);
	} else if (t->steps[t->turn].sent && look(a)) {
		a->done(t);
		return;
	}
	timer_arm(&a->next, LOOK_MS);
}

void away_is_offline(struct away *a)
{
	if (a->state != AWAY_LEAVING)
		return;
	a->state = AWAY_WRITING;
	timer_arm(&a->next, PAUSE_MS);
}

struct away *away_begin(struct talk *t, void (*done)(struct talk *t))
{
	struct away *a = mem_zalloc(sizeof(*a));
	struct person *p;

	a->talk = t;
	a->done = done;
	timer_init(&a->next, t->loop, on_next, a);
	a->fd = open(t->conf->pushes, O_RDONLY | O_CLOEXEC);
	if (a->fd == -1 || lseek(a->fd, 0, SEEK_END) == -1) {
		talk_fail(t, "%s: %s", t->conf->pushes, strerror(errno));
		return a;
	}
	p = &t->people[absent(a)];
	client_close(p->client);
	p->client = NULL;
	view_line(p->index, "", "leaves");
	return a;
}

const char *away_lacks(const struct away *a)
{
	const struct step *s = &a->talk->steps[a->talk->turn];

	if (a->state == AWAY_LEAVING)
		return "user:status of who left";
	return s->sent ? "its push" : "message:sent";
}

void away_free(struct away **ap)
{
	struct away *a = *ap;

	if (a == NULL)
		return;
	timer_free(&a->next);
	if (a->fd != -1)
		close(a->fd);
	buf_free(&a->said);
	free(a);
	*ap = NULL;
}
