#include "worker/transport/partial.h"

#include "common/base/log.h"

void partials_init(struct partials *ps, size_t max_payload)
{
	*ps = (struct partials){ .max = PARTIAL_SHARED };
	if (max_payload > ps->max / 4)
		ps->max = 4 * max_payload;
}

static size_t beyond_own(size_t n)
{
	return n > PARTIAL_OWN ? n - PARTIAL_OWN : 0;
}

bool partials_move(struct partials *ps, size_t from, size_t to)
{
	ps->shared -= beyond_own(from);
	ps->shared += beyond_own(to);
	if (ps->shared < ps->max / 2)
		ps->full = false;
	if (beyond_own(to) <= beyond_own(from) || ps->shared <= ps->max)
		return true;
	if (!ps->full)
		log_warn("clients hold %zu bytes of unfinished messages: long "
			 "ones are refused", ps->shared);
	ps->full = true;
	return false;
}
