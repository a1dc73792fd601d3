#include "common/protocol/ids.h"

#include <errno.h>

#include "tests/unit/protocol/exact.h"

Test(ids, round_trip)
{
	static const uint32_t instances[] = { 0, 1, 63, 64, 0x123456, INSTANCE_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(instances); i++) {
		char sid[SESSION_ID_LEN + 1];
		uint32_t got = 7;

		session_id_make(instances[i], sid);
		cr_assert_eq(strlen(sid), SESSION_ID_LEN);
		cr_assert_eq(session_id_instance(text(sid), &got), 0);
		cr_assert_eq(got, instances[i]);
	}
}

Test(ids, all_different_past_the_pool)
{
	enum { N = 1000 };
	static char sids[N][SESSION_ID_LEN + 1];

	for (int i = 0; i < N; i++) {
		session_id_make(5, sids[i]);
		for (int j = 0; j < i; j++)
			cr_assert_str_neq(sids[i], sids[j]);
	}
}

Test(ids, others_are_refused)
{
	static const char *const bad[] = {
		"", "AAAA", "AAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA",
		"AAAAAAAAAAAAAAAAAAA=", "+AAAAAAAAAAAAAAAAAAA",
		"AAAA/AAAAAAAAAAAAAAA", "AAAAAAAAAA AAAAAAAAA",
		"AAAA\xc3\xa4" "AAAAAAAAAAAAAA",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct slice s = exact(bad[i], strlen(bad[i]));
		uint32_t got = 7;

		cr_expect_eq(session_id_instance(s, &got), -EINVAL, "%s", bad[i]);
		cr_expect_eq(got, 7u);
		free((char *)s.p);
	}
}
