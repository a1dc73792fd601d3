#include "common/backend/retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

void retry_init(struct retry *r, struct loop *l, const char *kind,
		const char *name, char *where, void (*on_timer)(void *arg),
		void *arg)
{
	*r = (struct retry){ .kind = kind, .where = where, .up_since_ms = -1 };
	r->name = mem_strdup(name);
	backoff_init(&r->backoff);
	timer_init(&r->timer, l, on_timer, arg);
}

void retry_free(struct retry *r)
{
	timer_free(&r->timer);
	free(r->name);
	free(r->where);
}

void retry_vwhy(struct retry *r, const char *fmt, va_list ap)
{
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	r->why[strcspn(r->why, "\r\n")] = '\0';
}

void retry_why(struct retry *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	retry_vwhy(r, fmt, ap);
	va_end(ap);
}

void retry_up(struct retry *r)
{
	timer_disarm(&r->timer);
	r->up_since_ms = clock_mono_ms();
	r->logged[0] = '\0';
	if (r->trouble)
		log_info("%s %s: connected %s", r->kind, r->name, r->where);
	else
		log_debug("%s %s: connected %s", r->kind, r->name, r->where);
}

bool retry_ended(struct retry *r, bool at_once)
{
	bool was_up = r->up_since_ms >= 0;

	if (was_up) {
		backoff_lost(&r->backoff, clock_mono_ms() - r->up_since_ms);
		log_warn("%s %s: connection lost %s reason=\"%s\"", r->kind,
			 r->name, r->where, r->why);
	} else if (!at_once && strcmp(r->why, r->logged) != 0) {
		log_warn("%s %s: cannot connect, trying on %s reason=\"%s\"",
			 r->kind, r->name, r->where, r->why);
		memcpy(r->logged, r->why, sizeof(r->logged));
	}
	r->up_since_ms = -1;
	r->trouble |= !at_once;
	timer_arm(&r->timer, at_once ? 0 : (int64_t)backoff_next(&r->backoff));
	return was_up;
}
