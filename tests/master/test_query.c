/* Questions to workers: late, silent, dying, refusing ones. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "common/base/clock.h"
#include "tests/master/harness.h"

TestSuite(query, .timeout = 300);

static int64_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static size_t size(const json_t *o, const char *key)
{
	return json_array_size(json_object_get(o, key));
}

static const char *reason(const json_t *root, size_t i)
{
	const char *s = json_string_value(json_object_get(
		json_array_get(json_object_get(root, "unanswered"), i),
		"reason"));

	return s != NULL ? s : "";
}

Test(query, all_of_them)
{
	json_t *root;
	struct rig r;
	int64_t t;

	rig_start(&r, 4, "");
	rig_set(&r, "late.0");
	rig_set(&r, "late.2");
	t = clock_mono_ms();
	root = rig_json(&r, "user u --json");
	cr_expect_geq(clock_mono_ms() - t, 290);
	cr_expect_eq(size(root, "devices"), 4);
	cr_expect_eq(size(root, "unanswered"), 0);
	json_decref(root);

	rig_set(&r, "dies.0");
	rig_set(&r, "refuses.1");
	rig_set(&r, "babbles.2");
	t = clock_mono_ms();
	root = rig_json(&r, "user u --json");
	cr_expect_lt(clock_mono_ms() - t, 4900, "nobody is waited for");
	cr_expect_eq(size(root, "devices"), 1);
	cr_expect_eq(size(root, "unanswered"), 3);
	for (size_t i = 0; i < 3; i++) {
		int64_t slot = number(json_array_get(json_object_get(
						root, "unanswered"), i), "slot");
		const char *const why[] = { "it died meanwhile", "not today",
					    "its answer is malformed" };

		cr_assert_lt(slot, 3);
		cr_expect_str_eq(reason(root, i), why[slot]);
	}
	json_decref(root);
	rig_unset(&r, "dies.0");
	rig_stop(&r);
}

/* Those who die when asked are replaced; the next one is asked meanwhile. */
Test(query, one_and_the_next)
{
	char out[512];
	struct rig r;

	rig_start(&r, 3, "");
	for (unsigned i = 0; i < 6; i++) {
		cr_expect_eq(rig_ctl(&r, "token u", out, sizeof(out)), 0);
		cr_expect_not_null(strstr(out, "of slot "), "%s", out);
	}
	for (unsigned i = 0; i < 3; i++)
		cr_expect(rig_saw(&r, "events", "query %u {\"cmd\":\"token\","
				  "\"args\":[\"u\"]}", i), "they take turns");

	rig_set(&r, "dies.0");
	rig_set(&r, "refuses.2");
	for (unsigned i = 0; i < 3; i++) {
		cr_expect_eq(rig_ctl(&r, "token u", out, sizeof(out)), 0, "%s",
			     out);
		cr_expect_str_eq(out, "of slot 1\n");
	}
	rig_unset(&r, "dies.0");
	rig_stop(&r);
}

Test(query, one_and_nobody)
{
	FILE *token, *explain;
	static char out[1 << 16];
	json_t *root;
	struct rig r;
	int64_t t;

	rig_start(&r, 1, "");
	rig_set(&r, "refuses.0");
	cr_expect_eq(rig_ctl(&r, "token u", out, sizeof(out)), 1);
	cr_expect_str_eq(out, "pairwirectl: not today\n");
	rig_unset(&r, "refuses.0");
	rig_set(&r, "mute.0");
	t = clock_mono_ms();
	token = rig_ask(&r, "token u");
	explain = rig_ask(&r, "explain 0123456789abcdef01234567 --json");
	cr_expect_eq(rig_ctl(&r, "check", out, sizeof(out)), 1);
	cr_expect_geq(clock_mono_ms() - t, 8900);
	cr_expect_not_null(strstr(out, "no answer within 9 seconds"), "%s", out);
	cr_expect_eq(rig_asked(token, out, sizeof(out)), 1);
	cr_expect_str_eq(out, "pairwirectl: no answer within 5 seconds\n");
	cr_expect_eq(rig_asked(explain, out, sizeof(out)), 0);
	root = json_loads(out, 0, NULL);
	cr_expect_str_eq(json_string_value(json_object_get(root, "hosts_unknown")),
			 "no answer within 5 seconds");
	json_decref(root);
	rig_unset(&r, "mute.0");
	rig_stop(&r);
}

/* Closed by each, told elsewhere by one. */
Test(query, disconnect)
{
	json_t *root;
	struct rig r;

	rig_start(&r, 3, "");
	rig_set(&r, "dies.1");
	root = rig_json(&r, "disconnect u --json");
	cr_expect_eq(number(root, "devices"), 1 + 3);
	cr_expect_eq(number(root, "instances"), 5);
	cr_expect_eq(size(root, "unanswered"), 1);
	cr_expect_str_eq(json_string_value(json_object_get(root, "user")), "u");
	cr_expect_eq(rig_count(&r, "events", "disconnect_elsewhere"), 1);
	json_decref(root);
	rig_unset(&r, "dies.1");
	rig_stop(&r);
}

/* Its clients are still there. */
Test(query, one_that_drains_is_asked)
{
	char out[512];
	json_t *root;
	struct rig r;

	rig_start(&r, 2, "");
	rig_set(&r, "stay.0");
	cr_assert_eq(rig_ctl(&r, "drain 0", out, sizeof(out)), 0, "%s", out);
	root = rig_json(&r, "user u --json");
	cr_expect_eq(size(root, "devices"), 3);
	json_decref(root);
	root = rig_json(&r, "disconnect u --json");
	cr_expect_eq(number(root, "devices"), 1 + 1 + 2);
	json_decref(root);
	rig_unset(&r, "stay.0");
	rig_stop(&r);
}

/* While an upgrade waits for the last successor the others have clients already. */
Test(query, successors_are_asked)
{
	size_t devices = 0;
	char out[512];
	FILE *upgrade;
	json_t *root;
	struct rig r;

	rig_start_installed(&r, 2, "");
	rig_set(&r, "hang.1");
	upgrade = rig_ask(&r, "upgrade");
	cr_assert(rig_saw(&r, "events", "hang "));
	while (devices != 3) {
		root = rig_json(&r, "user u --json");
		devices = size(root, "devices");
		json_decref(root);
		usleep(20000);
	}
	rig_unset(&r, "hang.1");
	cr_expect_eq(rig_asked(upgrade, out, sizeof(out)), 0, "%s", out);
	rig_stop(&r);
}
