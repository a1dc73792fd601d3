/* A tally from one master to the next. */
#include "master/status/tally.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "master/members.h"

static json_t *item_save(const struct stats_item *it)
{
	json_t *below = json_array();

	for (size_t i = 0; it->kind == 'h' && i < STATS_BOUNDS; i++)
		json_array_append_new(below, json_integer((json_int_t)it->below[i]));
	return json_pack("{s:s%, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o}",
			 "kind", &it->kind, (size_t)1,
			 "name", it->name,
			 "help", it->help,
			 "value", (json_int_t)it->value,
			 "count", (json_int_t)it->count,
			 "sum_us", (json_int_t)it->sum_us,
			 "p50_us", (json_int_t)it->p50_us,
			 "p99_us", (json_int_t)it->p99_us,
			 "below", below);
}

json_t *tally_save(const struct tally *t)
{
	json_t *items = json_array();

	for (size_t i = 0; i < t->n; i++)
		json_array_append_new(items, item_save(&t->items[i]));
	return items;
}

static void below_load(const json_t *below, struct stats_item *out)
{
	uint64_t last = 0;

	for (size_t i = 0; i < STATS_BOUNDS; i++) {
		const json_t *v = json_array_get(below, i);

		if (json_is_integer(v))
			last = (uint64_t)json_integer_value(v);
		out->below[i] = last;
	}
}

static void item_load(const struct members *m, struct stats_item *out)
{
	const char *kind = members_text(m, "kind");

	*out = (struct stats_item){
		.kind = *kind,
		.name = members_text(m, "name"),
		.help = members_text(m, "help"),
		.value = members_int(m, "value", INT64_MIN, INT64_MAX),
		.count = (uint64_t)members_int(m, "count", 0, INT64_MAX),
		.sum_us = (uint64_t)members_int(m, "sum_us", 0, INT64_MAX),
		.p50_us = members_int(m, "p50_us", 0, INT64_MAX),
		.p99_us = members_int(m, "p99_us", 0, INT64_MAX),
	};
	if (*kind == '\0' || strchr("cgh", *kind) == NULL)
		members_wrong(m, "kind", "unknown");
	below_load(members_array(m, "below"), out);
}

void tally_load(struct tally *t, const struct members *m, const char *name)
{
	const json_t *items = members_array(m, name);
	struct stats_item it;
	char where[80];

	for (size_t i = 0; i < json_array_size(items) && *m->err == '\0'; i++) {
		struct members one = { json_array_get(items, i), where, m->err };
		struct tally add = { &it, 1 };

		snprintf(where, sizeof(where), "%.40s.%.8s[%zu]", m->where, name,
			 i);
		item_load(&one, &it);
		if (*m->err == '\0')
			tally_add(t, &add);
	}
}
