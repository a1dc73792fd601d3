#include "master/status/tally.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

const struct stats_item *tally_find(const struct tally *t, const char *name,
				    size_t hint)
{
	/* Pages of one version have one order: then this is all there is to it. */
	if (hint < t->n && strcmp(t->items[hint].name, name) == 0)
		return &t->items[hint];
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->items[i].name, name) == 0)
			return &t->items[i];
	return NULL;
}

bool tally_is_cluster(const struct stats_item *it)
{
	return strncmp(it->name, "cluster_", 8) == 0;
}

static void add_item(struct tally *t, const struct stats_item *it, size_t hint)
{
	struct stats_item *sum =
		(struct stats_item *)(uintptr_t)tally_find(t, it->name, hint);

	if (sum == NULL) {
		t->items = mem_realloc(t->items, (t->n + 1) * sizeof(*t->items));
		sum = &t->items[t->n++];
		*sum = *it;
		sum->name = mem_strdup(it->name);
		sum->help = mem_strdup(it->help);
		return;
	}
	if (sum->kind != it->kind)
		return;	/* another version's: no sum to be had */
	if (tally_is_cluster(it))
		sum->value = it->value > sum->value ? it->value : sum->value;
	else
		sum->value += it->value;
	sum->count += it->count;
	sum->sum_us += it->sum_us;
	sum->p50_us = it->p50_us;
	sum->p99_us = it->p99_us;
	for (size_t i = 0; i < STATS_BOUNDS; i++)
		sum->below[i] += it->below[i];
}

static bool wanted(const struct stats_item *it, enum tally_what what)
{
	size_t n = strlen(it->name);

	if (it->kind != 'g' || what == TALLY_ALL)
		return true;
	return what == TALLY_LOAD &&
	       (n < 3 || strcmp(it->name + n - 3, "_up") != 0);
}

void tally_add_page(struct tally *t, const struct stats_view *page,
		    enum tally_what what)
{
	struct stats_item it;

	for (size_t i = 0; page != NULL && stats_view_item(page, i, &it); i++)
		if (wanted(&it, what))
			add_item(t, &it, i);
}

void tally_add(struct tally *t, const struct tally *more)
{
	for (size_t i = 0; i < more->n; i++)
		add_item(t, &more->items[i], i);
}

int64_t tally_value(const struct tally *t, const char *name)
{
	const struct stats_item *it = tally_find(t, name, t->n);

	return it != NULL ? it->value : 0;
}

void tally_free(struct tally *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free((char *)(uintptr_t)t->items[i].name);
		free((char *)(uintptr_t)t->items[i].help);
	}
	free(t->items);
	*t = (struct tally){ 0 };
}
