#include "worker/chat/take_back.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "common/protocol/push_event.h"
#include "common/queue/push_queue.h"
#include "common/store/message_store.h"

static void on_added(void *arg, int err)
{
	(void)arg;
	stats_inc(err == 0 ? STAT_push_queued : STAT_push_refused);
}

void chat_take_back(struct chat *c, const char *user, const char *match_id,
		    const struct message *rows, size_t n)
{
	static const char *ids[PUSH_READ_IDS];	/* 4 KiB; the loop is one thread */
	char key[2 + MESSAGE_ID_LEN + 1];
	int64_t now = cluster_now_ms();
	struct push_event_read e = {
		.user_id = user,
		.match_id = match_id,
		.ids = ids,
		.queued_at_ms = now,
		.expires_at_ms = now + c->conf.push_ttl_ms,
	};

	for (e.n = 0; e.n < n && e.n < PUSH_READ_IDS; e.n++)
		ids[e.n] = rows[e.n].id;
	/* The key names a notification; a message becomes read only once. */
	snprintf(key, sizeof(key), "r:%s", ids[0]);
	buf_clear(&c->scratch);
	push_event_read(&c->scratch, &e);
	push_queue_add(c->push, key, user, buf_slice(&c->scratch), on_added,
		       NULL);
}
