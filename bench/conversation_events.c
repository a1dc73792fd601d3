#include "bench/conversation.h"

#include <stdio.h>
#include <string.h>

#include "bench/conversation_away.h"
#include "bench/talk_lines.h"
#include "bench/talk_view.h"

static const char *str(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static bool told(json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

/* The step of speaker with that id; the newest ones first. */
static struct step *step_by_id(struct talk *t, unsigned speaker, const char *id)
{
	for (unsigned i = t->turn_end; *id != '\0' && i-- > 0;) {
		if (talk_line_speaker(i) == speaker &&
		    strcmp(t->steps[i].id, id) == 0)
			return &t->steps[i];
	}
	return NULL;
}

static unsigned number(const struct talk *t, const struct step *s)
{
	return (unsigned)(s - t->steps) + 1;
}

/* The sender learns the id from message:sent, the other from message:new. */
static bool learn_id(struct talk *t, struct step *s, const char *id)
{
	if (*id == '\0' || strlen(id) > PW_ID_MAX) {
		talk_fail(t, "message %u has no usable id", number(t, s));
		return false;
	}
	if (s->id[0] != '\0' && strcmp(s->id, id) != 0) {
		talk_fail(t, "message %u has two ids", number(t, s));
		return false;
	}
	memcpy(s->id, id, strlen(id) + 1);
	return true;
}

static void ev_sent(struct person *p, json_t *o)
{
	struct talk *t = p->talk;
	char temp_id[64];

	for (unsigned i = t->turn; i < t->turn_end; i++) {
		struct step *s = &t->steps[i];

		snprintf(temp_id, sizeof(temp_id), "talk-%s-%u", t->run, i + 1);
		if (strcmp(str(o, "tempId"), temp_id) != 0)
			continue;
		if (!learn_id(t, s, str(o, "messageId")) || s->sent)
			return;
		s->sent = true;
		view_line(p->index, "", "sent       #%u", i + 1);
	}
}

static void ev_delivered(struct person *p, json_t *o)
{
	struct step *s = step_by_id(p->talk, p->index, str(o, "messageId"));

	if (s == NULL || s->delivered)
		return;
	s->delivered = true;
	view_line(p->index, "", "delivered  #%u", number(p->talk, s));
}

static void ev_read(struct person *p, json_t *o)
{
	json_t *id;
	size_t i;

	if (strcmp(str(o, "readBy"), p->talk->conf->users[1 - p->index]) != 0)
		return;
	json_array_foreach(json_object_get(o, "messageIds"), i, id) {
		const char *text = json_string_value(id);
		struct step *s = text == NULL ? NULL
				: step_by_id(p->talk, p->index, text);

		if (s == NULL || s->read)
			continue;
		s->read = true;
		view_line(p->index, "", "read       #%u", number(p->talk, s));
	}
}

static struct step *step_by_text(struct talk *t, const char *text)
{
	for (unsigned i = t->turn; i < t->turn_end; i++) {
		struct step *s = &t->steps[i];

		if (s->given && !s->arrived &&
		    strcmp(buf_str(&s->text), text) == 0)
			return s;
	}
	return NULL;
}

/* All lines of a turn are one person's, so their order is that of the steps. */
static bool arrives_well(struct talk *t, struct step *s, const char *text)
{
	if (s->arrived) {
		talk_fail(t, "message %u arrived twice", number(t, s));
		return false;
	}
	if (strcmp(buf_str(&s->text), text) != 0) {
		talk_fail(t, "message %u arrived with another text", number(t, s));
		return false;
	}
	for (struct step *before = &t->steps[t->turn]; before < s; before++) {
		if (!before->arrived) {
			talk_fail(t, "message %u arrived before message %u",
				  number(t, s), number(t, before));
			return false;
		}
	}
	return true;
}

static void ev_new(struct person *p, json_t *o)
{
	struct talk *t = p->talk;
	const char *text = str(o, "content");
	struct step *s;

	if (strcmp(str(o, "matchId"), t->conf->match) != 0 ||
	    strcmp(str(o, "senderId"), t->conf->users[1 - p->index]) != 0)
		return;
	s = step_by_id(t, 1 - p->index, str(o, "id"));
	if (s == NULL && talk_line_speaker(t->turn) != p->index)
		s = step_by_text(t, text);
	if (s == NULL) {	/* waiting from before we came */
		view_line(p->index, "<-", "(earlier) \"%s\"", text);
		return;
	}
	if (!arrives_well(t, s, text) || !learn_id(t, s, str(o, "id")))
		return;
	s->arrived = true;
	view_line(p->index, "<-", "#%u \"%s\"", number(t, s), text);
	if (!timer_armed(&p->reading))
		timer_arm(&p->reading, READING_MS);
}

static void ev_typing(struct person *p, json_t *o)
{
	if (strcmp(str(o, "matchId"), p->talk->conf->match) == 0 &&
	    strcmp(str(o, "userId"), p->talk->conf->users[1 - p->index]) == 0 &&
	    told(o, "isTyping"))
		view_line(p->index, "", "%s is typing",
			  talk_name(p->talk, 1 - p->index));
}

static void ev_status(struct person *p, json_t *o)
{
	bool online = told(o, "online");

	if (strcmp(str(o, "userId"), p->talk->conf->users[1 - p->index]) != 0)
		return;
	view_line(p->index, "", "%s is %s", talk_name(p->talk, 1 - p->index),
		  online ? "online" : "offline");
	if (!online && p->talk->away != NULL)
		away_is_offline(p->talk->away);
}

static void ev_error(struct person *p, json_t *o)
{
	view_line(p->index, "", "error %s: %s", str(o, "code"),
		  str(o, "message"));
	talk_fail(p->talk, "the server refused what %s did (%.64s)",
	     talk_name(p->talk, p->index), str(o, "code"));
}

static const struct {
	const char *name;
	void (*fn)(struct person *p, json_t *payload);
} events[] = {
	{ "message:sent", ev_sent },
	{ "message:delivered", ev_delivered },
	{ "message:read", ev_read },
	{ "message:new", ev_new },
	{ "user:typing", ev_typing },
	{ "user:status", ev_status },
	{ "error", ev_error },
};

void talk_on_event(struct person *p, json_t *event)
{
	const char *name = json_string_value(json_array_get(event, 0));

	for (size_t i = 0; name != NULL && i < ARRAY_SIZE(events); i++) {
		if (strcmp(name, events[i].name) == 0)
			events[i].fn(p, json_array_get(event, 1));
	}
}
