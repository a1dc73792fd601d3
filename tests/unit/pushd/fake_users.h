/* Users with a device each, and a push to one of them. */
#ifndef PW_TESTS_FAKE_USERS_H
#define PW_TESTS_FAKE_USERS_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/base.h"
#include "tests/unit/pushd/fake_push.h"

#define USERS 64

/* u0 has f0 and so on; a0 of v0 is an APNs one, o0 of w0 another app's. */
static inline void open_with_users(void)
{
	static const struct {
		char user, device;
		enum provider provider;
		const char *app;
	} rows[] = {
		{ 'u', 'f', PROVIDER_FCM, "" },
		{ 'v', 'a', PROVIDER_APNS, "" },
		{ 'w', 'o', PROVIDER_FCM, "other" },
	};
	char user[16], id[16];

	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		for (int i = 0; i < USERS; i++) {
			snprintf(user, sizeof(user), "%c%d", rows[k].user, i);
			snprintf(id, sizeof(id), "%c%d", rows[k].device, i);
			fake_device(user, id, rows[k].provider, rows[k].app);
		}
	}
	fake.conf.skip_if_delivered = false;
	fake.conf.owes = false;
	fake_open();
}

static inline void push_to(char kind, int i)
{
	char user[16], entry[16];

	snprintf(user, sizeof(user), "%c%d", kind, i);
	snprintf(entry, sizeof(entry), "e%c%d", kind, i);
	fake_event(entry, "{\"userId\":\"%s\",\"type\":\"x\",\"id\":\"%s\"}", user,
		   user);
}

static inline void fail_all(enum outcome_kind kind, const char *reason, int64_t wait)
{
	fake.all = (struct outcome){ .kind = kind, .retry_after_ms = wait };
	snprintf(fake.all.reason, sizeof(fake.all.reason), "%s", reason);
}

#endif
