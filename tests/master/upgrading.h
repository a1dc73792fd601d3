/* What tests of upgrades do again and again. */
#ifndef PW_TESTS_MASTER_UPGRADING_H
#define PW_TESTS_MASTER_UPGRADING_H

#include <criterion/criterion.h>

#include <string.h>

#include "tests/master/harness.h"

#define NEXT "9.8.7"

static inline void serve_some(const struct rig *r, int n)
{
	char line[64];

	for (int i = 0; i < n; i++) {
		rig_answer(rig_connect(r), line);
		cr_assert_str_neq(line, "");
	}
}

/* Upgrades, and it must be done. */
static inline void upgrade(const struct rig *r, const char *says)
{
	char out[512];

	cr_assert_eq(rig_ctl(r, "upgrade", out, sizeof(out)), 0, "%s", out);
	cr_assert_not_null(strstr(out, says), "%s", out);
}

#endif
