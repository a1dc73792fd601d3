/* presence:get: who of these is online, and when were the others here? A user
 * who is no match of one's own is left out, as if he did not exist. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/chat/answers.h"
#include "worker/chat/chat.h"
#include "worker/directory.h"

/* The directory and Redis are asked at once. */
struct asking {
	struct device *device;
	int64_t ack;
	size_t bytes;		/* counted against the device */
	unsigned waiting;	/* answers to come */
	bool failed;
	size_t n;
	struct asked {
		char *id;
		bool known;
		bool online;
		int64_t seen_ms;
	} users[];
};

static void answer(struct asking *a)
{
	struct buf *b = &a->device->chat->scratch;
	struct status v[STATUS_IDS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct asked *u = &a->users[i];

		if (u->known)
			v[n++] = (struct status){ u->id, u->online, u->seen_ms };
	}
	buf_clear(b);
	ack_statuses(b, v, n);
	sio_ack(a->device->socket, a->ack, buf_slice(b));
}

static void answered(struct asking *a, int err)
{
	struct device *d = a->device;

	a->failed |= err != 0;
	if (--a->waiting > 0)
		return;
	if (a->failed)
		chat_refuse(d, a->ack, &error_unavailable, NULL);
	else if (d->socket != NULL)
		answer(a);
	for (size_t i = 0; i < a->n; i++)
		free(a->users[i].id);
	device_event_end(d, a->bytes);
	device_unref(d);
	free(a);
}

static void on_matched(void *arg, int err, const bool *is, const int64_t *seen,
		       size_t n)
{
	struct asking *a = arg;

	for (size_t i = 0; err == 0 && i < n; i++) {
		a->users[i].known = is[i];
		a->users[i].seen_ms = seen[i];
	}
	answered(a, err);
}

static void on_online(void *arg, int err, const bool *online, size_t n)
{
	struct asking *a = arg;

	for (size_t i = 0; err == 0 && i < n; i++)
		a->users[i].online = online[i];
	answered(a, err);
}

void ev_presence_get(struct device *d, json_t *payload, int64_t ack)
{
	struct status_fields f;
	struct field_error err;
	struct asking *a;
	size_t bytes;

	if (ack == SIO_NO_ACK) {
		chat_refuse(d, ack, &error_no_ack, NULL);
		return;
	}
	if (!fields_status(payload, &f, &err)) {
		chat_refuse(d, ack, &err, NULL);
		return;
	}
	bytes = sizeof(*a) + f.n * (sizeof(a->users[0]) + PW_ID_MAX);
	if (!device_event_begin(d, bytes)) {
		chat_refuse(d, ack, &error_too_many, NULL);
		return;
	}
	a = mem_zalloc(sizeof(*a) + f.n * sizeof(a->users[0]));
	a->device = device_ref(d);
	a->ack = ack;
	a->bytes = bytes;
	a->waiting = 2;
	a->n = f.n;
	for (size_t i = 0; i < f.n; i++)
		a->users[i].id = mem_strdup(f.ids[i]);
	directory_matched(d->chat->directory, d->user->id, f.ids, f.n,
			  on_matched, a);
	presence_online(d->chat->presence, f.ids, f.n, on_online, a);
}
