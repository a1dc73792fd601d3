/* The table of client events (design 3.1). A new event is a row and a handler. */
#include <string.h>

#include "common/ipc/stats.h"
#include "worker/chat/catch_up.h"
#include "worker/chat/connect.h"

struct event_row {
	const char *name;
	void (*handle)(struct device *d, json_t *payload, int64_t ack);
};

static const struct event_row rows[] = {
	{ "message:send", ev_send },
	{ "message:typing", ev_typing },
	{ "message:read", ev_read },
	{ "message:received", ev_received },
	{ "message:sync", ev_sync },
	{ "presence:get", ev_presence_get },
};

static const struct field_error unknown_event = {
	ERR_INVALID_PAYLOAD, "unknown event", 0
};
static const struct field_error binary_event = {
	ERR_INVALID_PAYLOAD, "binary attachments are not accepted", 0
};

static const struct field_error too_large = {
	ERR_MESSAGE_TOO_LARGE, "the event is too large", 0
};

/* Room for everything but a message's content: 500 ids, a media URL; also for a
 * CONNECT with a token longer than any that is accepted, to be told so. */
#define EVENT_FRAME 131072

static const struct event_row *find_row(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

void chat_event(struct device *d, const struct sio_event *e)
{
	const struct event_row *row = find_row(e->name);

	stats_inc(STAT_events_in);
	if (e->too_large)	/* even its name may not be known */
		chat_refuse(d, e->ack, &too_large, NULL);
	else if (row == NULL)
		chat_refuse(d, e->ack, &unknown_event, NULL);
	else if (e->binary)
		chat_refuse(d, e->ack, &binary_event, NULL);
	else if (d->chat->stopping)
		chat_refuse(d, e->ack, &error_unavailable, NULL);
	else	/* a missing payload is NULL, which no handler accepts */
		row->handle(d, json_array_get(e->args, 0), e->ack);
}

static void on_event(void *up, struct sio_socket *k, const struct sio_event *e)
{
	struct device *d = up;

	(void)k;
	if (d != NULL && d->accepted)
		chat_event(d, e);
}

static void on_confirmed(void *up, struct sio_socket *k, uint32_t mark)
{
	(void)k;
	if (up == NULL)
		return;
	chat_confirmed(up, mark);
	catch_up_confirmed(up, mark);
}

static bool on_busy(void *up, struct sio_socket *k)
{
	const struct device *d = up;

	(void)k;
	return d != NULL && d->events > 0;
}

struct sio_ops chat_sio_ops(struct chat *c)
{
	return (struct sio_ops){
		.connect = connect_socket,
		.event = on_event,
		.confirmed = on_confirmed,
		.busy = on_busy,
		.disconnected = connect_gone,
		/* JSON may write a byte as six: \u00e9 */
		.event_max = 6 * c->conf.content_max + EVENT_FRAME,
		.arg = c,
	};
}
