#include "master/status/status_line.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/ipc/backend_rows.h"
#include "master/status/status.h"
#include "master/workers/supervisor.h"
#include "master/status/tally.h"

struct status_line {
	struct timer timer;
	int64_t every_ms;
	struct status *status;
	const struct supervisor *sup;
	int64_t last_us;
	int64_t last_messages;
};

static void add_down(struct buf *out, const char *name)
{
	buf_adds(out, out->len == 0 ? " backends_down=" : ",");
	buf_adds(out, name);
}

static void on_time(void *arg)
{
	struct status_line *l = arg;
	unsigned ready = supervisor_ready(l->sup);
	int64_t now = clock_mono_us();
	struct tally t = { 0 };
	struct buf down = { 0 };
	int64_t messages;

	timer_arm(&l->timer, l->every_ms);
	status_totals(l->status, l->sup, &t);
	messages = tally_value(&t, "messages_accepted");
#define BACKEND_DOWN(name, gauge, text)                                        \
	if (status_reaching(l->sup, #gauge) < ready)                           \
		add_down(&down, #name);
	BACKEND_ROWS(BACKEND_DOWN)
#undef BACKEND_DOWN
	log_info("status: connections=%" PRId64 " sockets=%" PRId64
		 " users=%" PRId64 " online=%" PRId64 " rooms=%" PRId64
		 " messages_per_s=%.1f workers=%u/%u%s",
		 tally_value(&t, "connections"), tally_value(&t, "sockets"),
		 tally_value(&t, "users"), status_online(&t), status_rooms(&t),
		 (double)(messages - l->last_messages) * 1e6 /
			 (double)(now > l->last_us ? now - l->last_us : 1),
		 ready, supervisor_slots(l->sup), buf_str(&down));
	l->last_us = now;
	l->last_messages = messages;
	buf_free(&down);
	tally_free(&t);
}

struct status_line *status_line_new(struct loop *loop, int64_t ms,
				    struct status *s,
				    const struct supervisor *sup)
{
	struct status_line *l = mem_zalloc(sizeof(*l));

	l->status = s;
	l->sup = sup;
	l->last_us = clock_mono_us();
	timer_init(&l->timer, loop, on_time, l);
	status_line_set_interval(l, ms);
	return l;
}

void status_line_set_interval(struct status_line *l, int64_t ms)
{
	if (ms == l->every_ms)
		return;
	l->every_ms = ms;
	if (ms > 0)
		timer_arm(&l->timer, ms);
	else
		timer_disarm(&l->timer);
}

void status_line_free(struct status_line **lp)
{
	struct status_line *l = *lp;

	if (l == NULL)
		return;
	timer_free(&l->timer);
	free(l);
	*lp = NULL;
}
