#include "pushd/jitter.h"

#include "common/base/siphash.h"

int64_t jitter_ms(int64_t bound_ms)
{
	static uint64_t n;

	/* A keyed hash of a counter: as good as random, without a system call. */
	n++;
	return (int64_t)(hash_bytes(&n, sizeof(n)) % ((uint64_t)bound_ms + 1));
}
