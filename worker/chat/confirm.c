/* What a device has proved to have becomes `delivered` (contract 4, M2). */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/store/message_store.h"
#include "worker/chat/chat.h"
#include "worker/chat/frames.h"

/* One statement's worth; the rest of a long queue follows in the next. */
#define CONFIRM_MAX 500

/* Messages that another device of the user confirmed first are not among the
 * rows, so each is told once. A failed write leaves them undelivered: nothing
 * false is shown, and they are confirmed or pushed later. */
static void on_delivered(void *arg, int err, const struct message *rows, size_t n)
{
	struct chat *c = arg;
	struct buf *b = &c->scratch;

	if (err != 0)
		return;
	stats_add(STAT_messages_confirmed, (int64_t)n);
	for (size_t i = 0; i < n; i++) {
		flight_record(FLIGHT_CONFIRMED, rows[i].id, 0);
		buf_clear(b);
		frame_message_delivered(b, rows[i].id, rows[i].delivered_at_ms);
		chat_everywhere(c, rows[i].sender_id, buf_slice(b));
	}
}

void chat_confirmed(struct device *d, uint32_t mark)
{
	struct chat *c = d->chat;
	char ids[CONFIRM_MAX][MESSAGE_ID_LEN + 1];
	struct pending p;
	bool more = d->user != NULL;

	while (more) {
		int64_t now = clock_mono_us();
		int64_t pos = cluster_next_pos();
		struct store_confirm confirm = {
			.recipient_id = d->user->id,
			.at_ms = pos / 1000,
			.chg = pos,
			.ids = (const char(*)[MESSAGE_ID_LEN + 1])ids,
		};

		while (confirm.n < CONFIRM_MAX &&
		       (more = device_pending_take(d, mark, &p))) {
			memcpy(ids[confirm.n++], p.id, sizeof(p.id));
			stats_observe(STAT_confirm_us, now - p.written_us);
		}
		if (confirm.n > 0)
			message_store_delivered(c->store, &confirm,
						on_delivered, c);
	}
}
