/* message:sync: a page of what the store has. With matchId of that match's
 * history; without, of all that came or was sent since `after`, in all matches
 * that have not ended. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/message_store.h"
#include "worker/chat/answers.h"
#include "worker/chat/chat.h"
#include "worker/chat/member.h"

/* A page ends with the message that reaches this; far from outbox_limit. */
#define PAGE_BYTES (256 * 1024)
#define US 1000LL		/* of a millisecond */

/* A message's text in json, and which of matches it is of. */
struct piece {
	size_t from, n;
	size_t match;
};
struct page_match {
	char *id;
	bool live;
};

struct sync {
	struct device *device;
	int64_t ack;
	char me[PW_ID_MAX + 1];
	char match_id[PW_ID_MAX + 1];	/* "": all */
	struct store_bound before, after;
	unsigned limit;
	unsigned read_limit;	/* of rows, and bytes of their content: one row */
	size_t read_bytes;	/* more than the page can take tells of more */

	/* The page, in the order in which it is read. */
	struct buf json;
	struct piece pieces[SYNC_LIMIT_MAX];
	size_t n;
	bool more;

	/* Of all matches: read up to here; and whether they still are. */
	int64_t at_pos;
	char at_id[MESSAGE_ID_LEN + 1];
	struct page_match matches[SYNC_LIMIT_MAX];
	size_t nmatches;
	size_t waiting;		/* matches not yet known */
	bool failed;
};

static const struct field_error no_such_message = {
	ERR_INVALID_PAYLOAD, "before and after must be of messages of the match", 0
};
static const struct field_error not_yours = {
	ERR_INVALID_PAYLOAD, "after must be of a message of yours", 0
};

/* What it may hold counts, so that a client has a few at a time. */
static size_t sync_bytes(void)
{
	return sizeof(struct sync) + PAGE_BYTES;
}

static void forget_page(struct sync *s)
{
	for (size_t i = 0; i < s->nmatches; i++)
		free(s->matches[i].id);
	s->nmatches = 0;
	s->n = 0;
	s->more = false;
	buf_clear(&s->json);
}

static void sync_free(struct sync *s)
{
	forget_page(s);
	buf_free(&s->json);
	device_event_end(s->device, sync_bytes());
	device_unref(s->device);
	free(s);
}

static void sync_refuse(struct sync *s, const struct field_error *e)
{
	chat_refuse(s->device, s->ack, e, NULL);
	sync_free(s);
}

/* False: the page is full. */
static bool page_add(struct sync *s, const struct message *m, size_t match)
{
	struct piece *p = &s->pieces[s->n];

	if (s->n == s->limit || s->json.len >= PAGE_BYTES)
		return false;
	*p = (struct piece){ .from = s->json.len, .match = match };
	page_message(&s->json, m, s->me);
	p->n = s->json.len - p->from;
	s->n++;
	return true;
}

/* A row longer than content_max was may be the last of both: then perhaps. */
static bool more_than_page(const struct sync *s, const struct message *rows,
			   size_t n)
{
	return s->n < n ||
	       store_rows_full(rows, n, s->read_limit, s->read_bytes);
}

static void answer_piece(struct sync *s, struct buf *list, size_t i)
{
	const struct piece *p = &s->pieces[i];

	if (list->len > 0)
		buf_addc(list, ',');
	buf_add(list, s->json.p + p->from, p->n);
}

/* newest_first: how it was read; the answer rises. */
static void answer(struct sync *s, bool newest_first)
{
	struct buf *b = &s->device->chat->scratch;
	struct buf list = { 0 };

	buf_reserve(&list, s->json.len + s->n);
	for (size_t i = 0; i < s->n; i++)
		answer_piece(s, &list, newest_first ? s->n - 1 - i : i);
	buf_clear(b);
	ack_page(b, buf_slice(&list), s->more);
	buf_free(&list);
	sio_ack(s->device->socket, s->ack, buf_slice(b));
	sync_free(s);
}

/* --- one match --- */

static void on_history(void *arg, int err, const struct message *rows, size_t n)
{
	struct sync *s = arg;
	bool rising = s->after.at_ms != 0 || s->after.id[0] != '\0';

	if (err != 0) {
		sync_refuse(s, err == -ENOENT ? &no_such_message :
						&error_unavailable);
		return;
	}
	if (s->device->socket == NULL) {
		sync_free(s);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (!page_add(s, &rows[rising ? i : n - 1 - i], 0))
			break;
	s->more = more_than_page(s, rows, n);
	answer(s, !rising);
}

static void on_member(void *arg, const struct field_error *e,
		      const struct member *m)
{
	struct sync *s = arg;
	struct store_page p = {
		.match_id = s->match_id,
		.before = s->before,
		.after = s->after,
		.limit = s->read_limit,
		.bytes = s->read_bytes,
	};

	(void)m;
	if (e != NULL)
		sync_refuse(s, e);
	else
		message_store_history(s->device->chat->store, &p, on_history, s);
}

/* --- all matches --- */

static void read_on(struct sync *s);

static void drop_ended(struct sync *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->matches[s->pieces[i].match].live)
			s->pieces[kept++] = s->pieces[i];
	s->n = kept;
}

/* All matches of the page are known. */
static void page_known(struct sync *s)
{
	if (s->failed) {
		sync_refuse(s, &error_unavailable);
		return;
	}
	drop_ended(s);
	if (s->n > 0 || !s->more) {
		answer(s, false);
		return;
	}
	/* An empty page would not say where the next one begins. */
	forget_page(s);
	read_on(s);
}

struct page_check {
	struct sync *s;
	size_t match;
};

static void on_page_member(void *arg, const struct field_error *e,
			   const struct member *m)
{
	struct page_check *k = arg;
	struct sync *s = k->s;

	(void)m;
	s->matches[k->match].live = e == NULL;
	s->failed |= e != NULL && e->code != ERR_INVALID_MATCH;
	free(k);
	if (--s->waiting == 0)
		page_known(s);
}

static size_t page_match(struct sync *s, const char *id)
{
	size_t i = 0;

	while (i < s->nmatches && strcmp(s->matches[i].id, id) != 0)
		i++;
	if (i == s->nmatches)
		s->matches[s->nmatches++].id = mem_strdup(id);
	return i;
}

static void on_missed(void *arg, int err, const struct message *rows, size_t n)
{
	struct sync *s = arg;
	size_t count;

	if (err != 0) {
		sync_refuse(s, &error_unavailable);
		return;
	}
	if (s->device->socket == NULL) {
		sync_free(s);
		return;
	}
	for (size_t i = 0; i < n && s->n < s->limit; i++) {
		if (!page_add(s, &rows[i], page_match(s, rows[i].match_id)))
			break;
		s->at_pos = rows[i].pos;
		memcpy(s->at_id, rows[i].id, sizeof(s->at_id));
	}
	s->more = more_than_page(s, rows, n);
	/* One more than there are: the last may be answered at once. */
	count = s->nmatches;
	s->waiting = count + 1;
	for (size_t i = 0; i < count; i++) {
		struct page_check *k = mem_alloc(sizeof(*k));

		*k = (struct page_check){ s, i };
		member_check(s->device->chat, s->me, s->matches[i].id,
			     on_page_member, k);
	}
	if (--s->waiting == 0)
		page_known(s);
}

static void read_on(struct sync *s)
{
	struct store_missed q = {
		.user_id = s->me,
		.since = s->at_pos > 1 ? s->at_pos - 1 : 1,
		.after_pos = s->at_pos,
		.limit = s->read_limit,
		.bytes = s->read_bytes,
	};

	memcpy(q.after_id, s->at_id, sizeof(q.after_id));
	message_store_missed(s->device->chat->store, &q, on_missed, s);
}

/* Behind all that was sent by then, in the same millisecond too. */
static void begin_behind(struct sync *s, int64_t sent_at_ms)
{
	s->at_pos = (sent_at_ms + 1) * US;
	memset(s->at_id, '0', MESSAGE_ID_LEN);
}

static void on_after(void *arg, int err, const struct message *rows, size_t n)
{
	struct sync *s = arg;
	bool mine = n > 0 && (strcmp(rows[0].sender_id, s->me) == 0 ||
			      strcmp(rows[0].recipient_id, s->me) == 0);

	if (err != 0 || !mine) {
		sync_refuse(s, err != 0 ? &error_unavailable : &not_yours);
		return;
	}
	if (rows[0].pos != 0) {
		s->at_pos = rows[0].pos;
		memcpy(s->at_id, rows[0].id, sizeof(s->at_id));
	} else {
		begin_behind(s, rows[0].sent_at_ms);
	}
	read_on(s);
}

static void start(struct sync *s)
{
	struct chat *c = s->device->chat;

	if (s->match_id[0] != '\0') {
		member_check(c, s->me, s->match_id, on_member, s);
	} else if (s->after.id[0] != '\0') {
		message_store_get(c->store,
				  (const char(*)[MESSAGE_ID_LEN + 1])&s->after.id,
				  1, on_after, s);
	} else {
		begin_behind(s, s->after.at_ms);
		read_on(s);
	}
}

void ev_sync(struct device *d, json_t *payload, int64_t ack)
{
	struct sync_fields f;
	struct field_error err;
	struct sync *s;

	if (ack == SIO_NO_ACK) {
		chat_refuse(d, ack, &error_no_ack, NULL);
		return;
	}
	if (!fields_sync(payload, &f, &err)) {
		chat_refuse(d, ack, &err, NULL);
		return;
	}
	if (!device_event_begin(d, sync_bytes())) {
		chat_refuse(d, ack, &error_too_many, NULL);
		return;
	}
	s = mem_zalloc(sizeof(*s));
	s->device = device_ref(d);
	s->ack = ack;
	s->before = f.before;
	s->after = f.after;
	s->limit = f.limit;
	s->read_limit = f.limit + 1;
	s->read_bytes = chat_read_bytes(d->chat, s->read_limit,
					PAGE_BYTES + d->chat->conf.content_max);
	strcpy(s->me, d->user->id);
	if (f.match_id != NULL)
		strcpy(s->match_id, f.match_id);
	start(s);
}
