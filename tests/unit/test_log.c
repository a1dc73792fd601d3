/* Log levels, for each area (log_areas.h). */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"

/* As this build names a source file. */
static const char *built(const char *file)
{
	static char path[512];
	size_t top = strlen(__FILE__) - strlen("tests/unit/test_log.c");

	snprintf(path, sizeof(path), "%.*s%s", (int)top, __FILE__, file);
	return path;
}

static bool wanted(enum log_level level, const char *file)
{
	return level <= log_level_now && log_wanted(level, built(file));
}

static const char *area_of(const char *file, const char *self)
{
	int n = log_area_of(file, self);

	return n == -1 ? "none" : log_area_name((unsigned)n);
}

Test(log, levels)
{
	enum log_level l = LOG_LVL_INFO;

	cr_expect_eq(log_level_parse("debug", &l), 0);
	cr_expect_eq(l, LOG_LVL_DEBUG);
	cr_expect_eq(log_level_parse("loud", &l), -EINVAL);
	cr_expect_eq(l, LOG_LVL_DEBUG, "untouched on failure");
	cr_expect_str_eq(log_level_name(LOG_LVL_WARN), "warning");
}

Test(log, areas_of_files)
{
	static const struct {
		const char *file, *area;
	} t[] = {
		{ "worker/chat/send.c", "chat" },
		{ "worker/transport/ws.c", "transport" },
		{ "worker/router_batch.c", "router" },
		{ "worker/directory.c", "directory" },
		{ "worker/directory/cache.c", "directory" },
		{ "worker/worker.c", "worker" },
		{ "common/backend/redis_io.c", "redis" },
		{ "common/backend/pg_conn.c", "postgres" },
		{ "common/backend/retry.c", "backend" },
		{ "common/store/store_pg.c", "store" },
		{ "common/queue/queue_kafka.c", "queue" },
		{ "master/workers/tend.c", "master" },
		{ "pushd/pushd.c", "none" },
		{ "common/base/mem.c", "none" },
		{ "", "none" },
	};
	/* In the tree, beside it, below it, and by its whole path: one that has an
	 * area's name in it, too. */
	static const char *const tops[] = { "", "../", "../../", "./",
					    "/build/pairwire/",
					    "/home/worker/chat/" };

	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(t); j++) {
			char file[128], self[128];

			snprintf(file, sizeof(file), "%s%s", tops[i], t[j].file);
			snprintf(self, sizeof(self), "%scommon/base/log_level.c",
				 tops[i]);
			cr_expect_str_eq(area_of(file, self), t[j].area, "%s",
					 file);
		}
	}
	cr_expect_str_eq(area_of("worker/chat/send.c",
				 "../common/base/log_level.c"), "none");
}

Test(log, one_area_louder)
{
	log_configure(LOG_LVL_INFO);
	cr_assert_eq(log_override(LOG_LVL_DEBUG, "chat"), 0);
	cr_expect_eq(log_level_now, LOG_LVL_DEBUG);
	cr_expect(wanted(LOG_LVL_DEBUG, "worker/chat/send.c"));
	cr_expect_not(wanted(LOG_LVL_DEBUG, "worker/transport/ws.c"));
	cr_expect(wanted(LOG_LVL_INFO, "worker/transport/ws.c"));
	cr_expect_not(wanted(LOG_LVL_DEBUG, "common/base/mem.c"));
	cr_assert_eq(log_override(LOG_LVL_CONFIGURED, "chat"), 0);
	cr_expect_eq(log_level_now, LOG_LVL_INFO, "the cheap check is back");
	cr_expect_not(wanted(LOG_LVL_DEBUG, "worker/chat/send.c"));
}

Test(log, one_area_quieter)
{
	log_configure(LOG_LVL_INFO);
	cr_assert_eq(log_override(LOG_LVL_ERR, "chat"), 0);
	cr_expect_eq(log_level_now, LOG_LVL_INFO);
	cr_expect_not(wanted(LOG_LVL_WARN, "worker/chat/send.c"));
	cr_expect(wanted(LOG_LVL_ERR, "worker/chat/send.c"));
	cr_expect(wanted(LOG_LVL_INFO, "worker/router.c"));
}

Test(log, all_areas)
{
	log_configure(LOG_LVL_INFO);
	cr_assert_eq(log_override(LOG_LVL_ERR, "chat"), 0);
	cr_assert_eq(log_override(LOG_LVL_WARN, ""), 0);
	cr_expect_eq(log_level_now, LOG_LVL_WARN);
	cr_expect(wanted(LOG_LVL_WARN, "worker/chat/send.c"), "\"\" is all");
	cr_expect_not(wanted(LOG_LVL_INFO, "common/base/mem.c"));
	cr_assert_eq(log_override(LOG_LVL_CONFIGURED, ""), 0);
	cr_expect_eq(log_level_now, LOG_LVL_INFO);
}

Test(log, configured_anew)
{
	log_configure(LOG_LVL_INFO);
	cr_assert_eq(log_override(LOG_LVL_DEBUG, "chat"), 0);
	log_configure(LOG_LVL_WARN);
	cr_expect_eq(log_level_now, LOG_LVL_WARN);
	cr_expect_not(wanted(LOG_LVL_DEBUG, "worker/chat/send.c"),
		      "the override has ended");
}

Test(log, unknown)
{
	static const struct {
		int level;
		const char *area;
	} t[] = { { LOG_LVL_DEBUG, "chats" }, { LOG_LVL_DEBUG, "cha" },
		  { LOG_LVL_DEBUG, "other" }, { 5, "chat" }, { 0, "" },
		  { -2, "" }, { 8, "" } };

	log_configure(LOG_LVL_INFO);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		cr_expect_eq(log_override(t[i].level, t[i].area), -EINVAL);
		cr_expect_eq(log_level_now, LOG_LVL_INFO);
	}
}

/* The macros themselves; this file is of no area. */
Test(log, lines)
{
	char text[1024] = "";
	int p[2], evaluated = 0;

	cr_assert_eq(pipe(p), 0);
	dup2(p[1], STDERR_FILENO);
	log_init("test", LOG_LVL_INFO);
	cr_assert_eq(log_override(LOG_LVL_DEBUG, "chat"), 0);
	log_debug("not this one %d", ++evaluated);
	log_info("this one");
	cr_assert_gt(read(p[0], text, sizeof(text) - 1), 0);
	cr_expect_eq(evaluated, 0, "nobody wanted it");
	cr_expect_not_null(strstr(text, "this one\n"));
	cr_expect_null(strstr(text, "not"));
}
