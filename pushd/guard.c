#include "pushd/guard.h"

#define LN2 0.6931471805599453

/* 2 to the power of -ms / GUARD_HALF_LIFE_MS: whole half-lives, then the series
 * of the exponential function, exact to a thousandth. */
static double faded(int64_t ms)
{
	double left = 1, y;

	for (; ms >= GUARD_HALF_LIFE_MS && left > 1e-9; ms -= GUARD_HALF_LIFE_MS)
		left /= 2;
	y = LN2 * (double)(ms % GUARD_HALF_LIFE_MS) / GUARD_HALF_LIFE_MS;
	return left * (1 - y * (1 - y / 2 * (1 - y / 3 * (1 - y / 4))));
}

void guard_init(struct guard *g, unsigned share)
{
	*g = (struct guard){ .share = share };
}

static bool count(struct guard *g, int64_t now_ms, double *which)
{
	bool was = g->tripped;
	double limit, all;

	if (now_ms > g->at_ms) {
		double left = faded(now_ms - g->at_ms);

		g->ok *= left;
		g->dead *= left;
		g->at_ms = now_ms;
	}
	*which += 1;
	all = g->ok + g->dead;
	limit = all * g->share / 100;
	g->tripped = was ? g->dead >= limit / 2 :
			   (g->dead >= GUARD_LEAST || g->row == GUARD_LEAST) &&
				   g->dead > limit;
	return g->tripped != was;
}

bool guard_sent(struct guard *g, int64_t now_ms)
{
	unsigned most = GUARD_BURST * (100 - g->share);

	g->earned = g->earned + g->share < most ? g->earned + g->share : most;
	g->row = 0;
	return count(g, now_ms, &g->ok);
}

bool guard_dead(struct guard *g, int64_t now_ms)
{
	if (g->row < GUARD_LEAST)
		g->row++;
	return count(g, now_ms, &g->dead);
}

bool guard_spend(struct guard *g)
{
	if (g->tripped || g->earned < 100 - g->share)
		return false;
	g->earned -= 100 - g->share;
	return true;
}

void guard_renew(struct guard *g)
{
	if (!g->tripped)
		guard_init(g, g->share);
}
