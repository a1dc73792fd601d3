#include "common/protocol/ids.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/log.h"
#include "common/protocol/base64url.h"

#define RANDOM_LEN 12	/* 96 bits: 16 characters */

/* One system call serves 64 ids. Loop thread only. A forked child would hand
 * out its parent's ids, but workers are exec'd. */
static unsigned char pool[RANDOM_LEN * 64];
static size_t pool_left;

static void pool_fill(void)
{
	size_t got = 0;

	while (got < sizeof(pool)) {
		ssize_t n = getrandom(pool + got, sizeof(pool) - got, 0);

		if (n == -1 && errno != EINTR)
			log_fatal("getrandom: %s", strerror(errno));
		if (n > 0)
			got += (size_t)n;
	}
	pool_left = sizeof(pool);
}

/* Three bytes to four characters. */
static void encode3(uint32_t v, char out[4])
{
	out[0] = base64url_digits[v >> 18 & 63];
	out[1] = base64url_digits[v >> 12 & 63];
	out[2] = base64url_digits[v >> 6 & 63];
	out[3] = base64url_digits[v & 63];
}

void session_id_make(uint32_t instance, char out[SESSION_ID_LEN + 1])
{
	unsigned char *r;

	if (pool_left < RANDOM_LEN)
		pool_fill();
	pool_left -= RANDOM_LEN;
	r = pool + pool_left;
	encode3(instance & INSTANCE_MAX, out);
	for (int i = 0; i < RANDOM_LEN / 3; i++)
		encode3((uint32_t)r[3 * i] << 16 | (uint32_t)r[3 * i + 1] << 8 |
				r[3 * i + 2],
			out + 4 + 4 * i);
	out[SESSION_ID_LEN] = '\0';
	/* an Engine.IO sid is a secret: keep one copy, not two */
	explicit_bzero(r, RANDOM_LEN);
}

int session_id_instance(struct slice sid, uint32_t *instance_out)
{
	uint32_t instance = 0;

	if (sid.n != SESSION_ID_LEN)
		return -EINVAL;
	for (size_t i = 0; i < SESSION_ID_LEN; i++) {
		int d = base64url_value(sid.p[i]);

		if (d == -1)
			return -EINVAL;
		if (i < 4)
			instance = instance << 6 | (uint32_t)d;
	}
	*instance_out = instance;
	return 0;
}
