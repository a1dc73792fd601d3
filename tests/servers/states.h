/* A backend's callback of states: how often it came up, and how often it went. */
#ifndef PW_STATES_H
#define PW_STATES_H

#include <stdbool.h>

struct states {
	int up;
	int down;
};

static inline void on_state(void *arg, bool up)
{
	struct states *s = arg;

	*(up ? &s->up : &s->down) += 1;
}

#endif
