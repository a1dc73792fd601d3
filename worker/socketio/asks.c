#include "worker/socketio/asks.h"

static uint64_t *word_of(struct sio_asks *a, int64_t id, uint64_t *bit_out)
{
	unsigned n = (unsigned)(id % SIO_ASKS_MAX);

	*bit_out = UINT64_C(1) << (n % 64);
	return &a->awaited[n / 64];
}

int64_t sio_asks_add(struct sio_asks *a)
{
	uint64_t bit, *word = word_of(a, a->next, &bit);

	*word |= bit;
	return a->next++;
}

bool sio_asks_take(struct sio_asks *a, int64_t id)
{
	uint64_t bit, *word;
	bool awaited;

	if (a == NULL || id < 0 || id >= a->next ||
	    a->next - id > SIO_ASKS_MAX)
		return false;
	word = word_of(a, id, &bit);
	awaited = (*word & bit) != 0;
	*word &= ~bit;
	return awaited;
}
