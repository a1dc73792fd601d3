/* Which lines come through: a level for each area of log_areas.h. */
#include "common/base/log.h"

#include <errno.h>
#include <string.h>

#include "common/base/log_areas.h"

#define AREA_ID(name, prefix) AREA_##name,
enum area { LOG_AREAS(AREA_ID) AREA_OTHER, AREA__COUNT };
#undef AREA_ID

static const struct {
	const char *name;
	const char *prefix;
} areas[AREA_OTHER] = {
#define AREA_ROW(name, prefix) { #name, prefix },
	LOG_AREAS(AREA_ROW)
#undef AREA_ROW
};

static const struct {
	const char *name;
	enum log_level level;
} levels[] = {
	{ "error", LOG_LVL_ERR },
	{ "warning", LOG_LVL_WARN },
	{ "info", LOG_LVL_INFO },
	{ "debug", LOG_LVL_DEBUG },
};

enum log_level log_level_now = LOG_LVL_INFO;
static enum log_level configured = LOG_LVL_INFO;
static int overrides[AREA__COUNT];	/* 0: as configured */

int log_level_parse(const char *text, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcmp(text, levels[i].name) == 0) {
			*out = levels[i].level;
			return 0;
		}
	}
	return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (levels[i].level == level)
			return levels[i].name;
	return "?";
}

const char *log_area_name(unsigned n)
{
	return n < ARRAY_SIZE(areas) ? areas[n].name : NULL;
}

static int level_of(size_t area)
{
	return overrides[area] != 0 ? overrides[area] : (int)configured;
}

static void find_highest(void)
{
	int highest = LOG_LVL_ERR;

	for (size_t i = 0; i < AREA__COUNT; i++)
		if (level_of(i) > highest)
			highest = level_of(i);
	log_level_now = (enum log_level)highest;
}

void log_configure(enum log_level level)
{
	configured = level;
	memset(overrides, 0, sizeof(overrides));
	find_highest();
}

static bool is_level(int level)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if ((int)levels[i].level == level)
			return true;
	return false;
}

int log_override(int level, const char *area)
{
	bool all = *area == '\0', found = all;

	if (level != LOG_LVL_CONFIGURED && !is_level(level))
		return -EINVAL;
	for (size_t i = 0; i < AREA__COUNT; i++) {
		if (!all && (i == AREA_OTHER || strcmp(areas[i].name, area) != 0))
			continue;
		found = true;
		overrides[i] = level == LOG_LVL_CONFIGURED ? 0 : level;
	}
	find_highest();
	return found ? 0 : -EINVAL;
}

int log_area_of(const char *file, const char *self)
{
	size_t top = strlen(self) - strlen("common/base/log_level.c");

	if (strncmp(file, self, top) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(areas); i++)
		if (strncmp(file + top, areas[i].prefix,
			    strlen(areas[i].prefix)) == 0)
			return (int)i;
	return -1;
}

bool log_wanted(enum log_level level, const char *file)
{
	int area = log_area_of(file, __FILE__);

	return (int)level <= level_of(area == -1 ? AREA_OTHER : (size_t)area);
}
