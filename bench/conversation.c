#include "bench/conversation.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bench/client.h"
#include "bench/conversation_away.h"
#include "bench/talk_lines.h"
#include "bench/talk_view.h"
#include "common/base/mem.h"
#include "common/protocol/json_out.h"
#include "common/protocol/sio_packet.h"

/* The pace of the conversation, in ms. */
#define TYPING_MS 250
#define PAUSE_MS 150

static void on_left(void *arg)
{
	struct talk *t = arg;

	loop_stop(t->loop);
}

static void finish(struct talk *t)
{
	if (t->over)
		return;
	t->over = true;
	timer_disarm(&t->pace);
	timer_disarm(&t->patience);
	for (unsigned i = 0; i < 2; i++) {
		timer_disarm(&t->people[i].reading);
		t->people[i].client = NULL;
	}
	clients_leave(t->clients, on_left, t);
}

void talk_fail(struct talk *t, const char *fmt, ...)
{
	va_list ap;

	if (!t->over) {
		fflush(stdout);
		fputs("pairwire-bench: ", stderr);
		va_start(ap, fmt);
		vfprintf(stderr, fmt, ap);
		va_end(ap);
		fputc('\n', stderr);
		t->failed = true;
	}
	finish(t);
}

const char *talk_name(const struct talk *t, unsigned person)
{
	return t->conf->names[person];
}

/* --- what the two do --- */

static void begin_event(struct buf *b, const struct talk *t, const char *name)
{
	buf_addc(b, '[');
	json_out_cstr(b, name);
	buf_adds(b, ",{\"matchId\":");
	json_out_cstr(b, t->conf->match);
}

static void end_event(struct buf *b, struct person *p)
{
	buf_adds(b, "}]");
	if (p->client != NULL)
		client_emit(p->client, buf_slice(b), SIO_NO_ACK);
	buf_free(b);
}

static void send_typing(struct person *p, bool typing)
{
	struct buf b = { 0 };

	begin_event(&b, p->talk, "message:typing");
	buf_adds(&b, typing ? ",\"isTyping\":true" : ",\"isTyping\":false");
	end_event(&b, p);
}

void conversation_send(struct talk *t, unsigned i)
{
	struct person *p = &t->people[talk_line_speaker(i)];
	struct step *s = &t->steps[i];
	struct buf b = { 0 };

	talk_line_text(i, talk_name(t, 1 - p->index), &s->text);
	view_line(p->index, "->", "#%u \"%s\"", i + 1, buf_str(&s->text));
	s->given = true;
	begin_event(&b, t, "message:send");
	buf_adds(&b, ",\"content\":");
	json_out_str(&b, s->text.p, s->text.len);
	buf_printf(&b, ",\"type\":\"text\",\"tempId\":\"talk-%s-%u\"", t->run,
		   i + 1);
	end_event(&b, p);
}

static void on_reading(void *arg)
{
	struct person *p = arg;
	struct talk *t = p->talk;
	struct buf b = { 0 };
	unsigned n = 0;

	begin_event(&b, t, "message:read");
	buf_adds(&b, ",\"messageIds\":[");
	for (unsigned i = t->turn; i < t->turn_end; i++) {
		struct step *s = &t->steps[i];

		if (!s->arrived || s->read_told ||
		    talk_line_speaker(i) == p->index)
			continue;
		if (n++ > 0)
			buf_addc(&b, ',');
		json_out_cstr(&b, s->id);
		s->read_told = true;
	}
	buf_addc(&b, ']');
	end_event(&b, p);
}

/* A turn: all lines up to the next speaker's. */
static void begin_turn(struct talk *t)
{
	unsigned speaker = talk_line_speaker(t->turn);

	t->turn_end = t->turn;
	while (t->turn_end < t->conf->messages &&
	       talk_line_speaker(t->turn_end) == speaker)
		t->turn_end++;
	timer_arm(&t->patience, t->conf->timeout_ms);
	send_typing(&t->people[speaker], true);
	t->typing = true;
	timer_arm(&t->pace, TYPING_MS);
}

static void on_pace(void *arg)
{
	struct talk *t = arg;

	if (!t->typing) {
		begin_turn(t);
		return;
	}
	t->typing = false;
	send_typing(&t->people[talk_line_speaker(t->turn)], false);
	for (unsigned i = t->turn; i < t->turn_end; i++)
		conversation_send(t, i);
}

static bool complete(const struct step *s)
{
	return s->sent && s->arrived && s->delivered && s->read;
}

static void on_pushed(struct talk *t)
{
	t->pushed = true;
	finish(t);
}

/* The next line, with nobody there to read it. */
static void begin_away(struct talk *t)
{
	t->turn_end = t->turn + 1;
	timer_arm(&t->patience, t->conf->timeout_ms);
	t->away = away_begin(t, on_pushed);
}

/* On to the next turn when all of this one has come through. */
static void advance(struct talk *t)
{
	for (unsigned i = t->turn; i < t->turn_end; i++) {
		if (!complete(&t->steps[i]))
			return;
	}
	t->turn = t->turn_end;
	if (t->turn == t->conf->messages && t->conf->pushes != NULL)
		begin_away(t);
	else if (t->turn == t->conf->messages)
		finish(t);
	else
		timer_arm(&t->pace, PAUSE_MS);
}

/* --- their connections --- */

static void on_event(struct client *c, void *arg, struct slice json, int64_t ack)
{
	struct person *p = arg;
	json_t *event = json_loadb(json.p, json.n, 0, NULL);

	(void)c;
	(void)ack;
	if (event == NULL)
		talk_fail(p->talk, "the server sent an event that is no JSON");
	else
		talk_on_event(p, event);
	json_decref(event);
	if (!p->talk->over && p->talk->away == NULL &&
	    p->talk->turn_end > p->talk->turn)
		advance(p->talk);
}

static void connect_person(struct talk *t, unsigned i)
{
	t->people[i].client = client_new(t->clients, t->conf->tokens[i],
					 &t->people[i]);
}

static void on_joined(struct client *c, void *arg)
{
	struct person *p = arg;
	struct talk *t = p->talk;

	(void)c;
	if (!t->begun)
		printf("%s and %s talk at %s: when, whose app, what it does (->) "
		       "or is told\n", talk_name(t, 0), talk_name(t, 1),
		       t->conf->url);
	t->begun = true;
	view_line(p->index, "", "connected");
	if (p->index == 0)
		connect_person(t, 1);
	else
		timer_arm(&t->pace, PAUSE_MS);
}

static void on_ended(struct client *c, void *arg, enum client_end why,
		     const char *text)
{
	struct person *p = arg;

	(void)c;
	p->client = NULL;
	if (why == CLIENT_UNREACHABLE || why == CLIENT_NOT_UPGRADED)
		talk_fail(p->talk, "%s", text);
	else if (why == CLIENT_REFUSED)
		talk_fail(p->talk, "%s may not connect: %s",
			  talk_name(p->talk, p->index), text);
	else
		talk_fail(p->talk, "%s's connection: %s",
			  talk_name(p->talk, p->index), text);
}

static const struct client_ops client_ops = {
	.joined = on_joined,
	.event = on_event,
	.ended = on_ended,
};

/* --- the whole --- */

/* Names the first message that did not come all the way, and what it lacks. */
static void on_impatient(void *arg)
{
	struct talk *t = arg;

	if (t->away != NULL) {
		talk_fail(t, "message %u is missing: %s", t->turn + 1,
			  away_lacks(t->away));
		return;
	}
	for (unsigned i = t->turn; i < t->turn_end; i++) {
		const struct step *s = &t->steps[i];

		if (complete(s))
			continue;
		talk_fail(t, "message %u of %u is missing:%s%s%s%s", i + 1,
		     t->conf->messages, s->sent ? "" : " message:sent",
		     s->arrived ? "" : " message:new",
		     s->delivered ? "" : " message:delivered",
		     s->read ? "" : " message:read");
		return;
	}
}

static void print_summary(const struct talk *t)
{
	unsigned sent = 0, delivered = 0, read = 0;

	if (!t->begun)
		return;
	for (unsigned i = 0; i < t->conf->messages; i++) {
		sent += t->steps[i].sent;
		delivered += t->steps[i].delivered;
		read += t->steps[i].read;
	}
	printf("%u sent, %u delivered, %u read%s\n", sent, delivered, read,
	       t->pushed ? "; 1 pushed" : "");
}

static void talk_init(struct talk *t, const struct talk_conf *conf,
		      struct target *target)
{
	uint64_t r = 0;

	*t = (struct talk){ .conf = conf };
	if (getrandom(&r, sizeof(r), 0) == -1)
		r = (uint64_t)random();
	snprintf(t->run, sizeof(t->run), "%016llx", (unsigned long long)r);
	t->loop = loop_new();
	t->clients = clients_new(t->loop, target, &client_ops, conf->timeout_ms);
	t->steps = mem_zalloc((conf->messages + 1) * sizeof(*t->steps));
	timer_init(&t->pace, t->loop, on_pace, t);
	timer_init(&t->patience, t->loop, on_impatient, t);
	for (unsigned i = 0; i < 2; i++) {
		t->people[i].talk = t;
		t->people[i].index = i;
		timer_init(&t->people[i].reading, t->loop, on_reading,
			   &t->people[i]);
	}
}

static void talk_free(struct talk *t)
{
	for (unsigned i = 0; i < 2; i++) {
		timer_free(&t->people[i].reading);
	}
	timer_free(&t->pace);
	timer_free(&t->patience);
	away_free(&t->away);
	clients_free(&t->clients);
	loop_free(&t->loop);
	for (unsigned i = 0; i <= t->conf->messages; i++)
		buf_free(&t->steps[i].text);
	free(t->steps);
}

bool conversation_hold(const struct talk_conf *conf, struct target *target)
{
	struct talk t;

	talk_init(&t, conf, target);
	view_init(conf->names[0], conf->names[1]);
	connect_person(&t, 0);
	loop_run(t.loop);
	print_summary(&t);
	talk_free(&t);
	return !t.failed;
}
