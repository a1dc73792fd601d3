#include "worker/chat/expiry.h"

#include <stdio.h>

#include <criterion/criterion.h>

#include "worker/chat/users.h"
#include "worker/socketio/socket.h"

#define N 1000

static bool ended[N];
static unsigned nended;

void sio_disconnect(struct sio_socket *k, enum close_reason why)
{
	cr_expect_eq(why, CLOSE_AUTH);
	cr_expect_not(ended[(uintptr_t)k - 1], "once");
	ended[(uintptr_t)k - 1] = true;
	nended++;
}

/* Two devices a user; device i's token ends at 1000 + 10 * i, each tenth's
 * never. */
Test(expiry, each_when_it_ends, .timeout = 240)
{
	static struct device *devices[N];
	struct loop *l = loop_new();
	struct expiry x;
	struct users us;
	char id[PW_ID_MAX + 1];

	users_init(&us);
	expiry_init(&x, l, &us);
	for (size_t i = 0; i < N; i++) {
		struct device *d;

		snprintf(id, sizeof(id), "user-%zu", i % (N / 2));
		d = device_new(NULL, &us, id,
			       (struct sio_socket *)(uintptr_t)(i + 1));
		devices[i] = d;
		if (i % 10 == 0)
			continue;
		d->expires_mono_ms = 1000 + 10 * (int64_t)i;
		expiry_note(&x, d);
	}
	expiry_pass(&x, 1009);
	cr_expect_eq(nended, 0);
	for (int64_t now = 1010; now < 1000 + 10 * N + 500; now += 500) {
		expiry_pass(&x, now);
		for (size_t i = 0; i < N; i++) {
			bool due = i % 10 != 0 && 1000 + 10 * (int64_t)i <= now;

			cr_assert_eq(ended[i], due, "%zu at %d", i, (int)now);
			if (due && devices[i] != NULL) {
				device_gone(&us, devices[i], id);
				devices[i] = NULL;
			}
		}
	}
	cr_expect_eq(nended, N - N / 10);
	for (size_t i = 0; i < EXPIRY_SHARES; i++)
		cr_expect_eq(x.earliest_ms[i], INT64_MAX, "nothing to look at");
	for (size_t i = 0; i < N; i += 10)
		device_gone(&us, devices[i], id);
	expiry_free(&x);
	users_free(&us);
	loop_free(&l);
}
