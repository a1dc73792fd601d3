#include "common/conf/conf_change.h"

#include <string.h>

#include "common/conf/conf_keys.h"

static bool same(const struct conf *a, const struct conf *b, enum conf_id id)
{
	struct conf *x = (struct conf *)(uintptr_t)a;	/* read only */
	struct conf *y = (struct conf *)(uintptr_t)b;

	if (conf_is_text(conf_keys[id].type))
		return strcmp(*conf_str_field(x, id), *conf_str_field(y, id)) == 0;
	return *conf_int_field(x, id) == *conf_int_field(y, id);
}

void conf_diff(const struct conf *was, const struct conf *is, conf_changed *fn,
	       void *arg)
{
	for (int i = 0; i < CONF__COUNT; i++) {
		enum conf_id id = (enum conf_id)i;

		if (!same(was, is, id) &&
		    !(conf_is_derived(was, id) && conf_is_derived(is, id)))
			fn(arg, conf_keys[i].key, conf_keys[i].when);
	}
}

void conf_diff_worker(const struct conf *was, const struct conf *is,
		      conf_changed *fn, void *arg)
{
	for (int i = 0; i < CONF__COUNT; i++) {
		enum conf_id id = (enum conf_id)i;

		if (conf_keys[i].when == CONF_WORKER && !same(was, is, id) &&
		    !conf_is_derived(is, id))
			fn(arg, conf_keys[i].key, conf_keys[i].when);
	}
}

static void swap(struct conf *a, struct conf *b, enum conf_id id)
{
	if (conf_is_text(conf_keys[id].type)) {
		char **x = conf_str_field(a, id), **y = conf_str_field(b, id);
		char *text = *x;

		*x = *y;
		*y = text;
	} else {
		int64_t *x = conf_int_field(a, id), *y = conf_int_field(b, id);
		int64_t n = *x;

		*x = *y;
		*y = n;
	}
}

static void swap_origins(struct conf *a, struct conf *b, enum conf_id id,
			 bool kept)
{
	struct conf_origin *x, *y, o;

	if (a->origins == NULL || b->origins == NULL)
		return;
	x = &a->origins->of[id];
	y = &b->origins->of[id];
	o = *x;
	*x = *y;
	*y = o;
	x->kept = kept;
}

void conf_keep(struct conf *fresh, struct conf *was)
{
	bool derived[CONF__COUNT];

	for (int i = 0; i < CONF__COUNT; i++)
		derived[i] = conf_keys[i].when != CONF_RESTART &&
			     conf_is_derived(fresh, (enum conf_id)i);
	for (int i = 0; i < CONF__COUNT; i++) {
		enum conf_id id = (enum conf_id)i;

		if (conf_keys[i].when != CONF_RESTART)
			continue;
		if (!same(fresh, was, id))
			swap_origins(fresh, was, id, true);
		swap(fresh, was, id);
	}
	for (int i = 0; i < CONF__COUNT; i++)
		if (derived[i])
			conf_derive(fresh, (enum conf_id)i);
}

void conf_take_live(struct conf *into, struct conf *from)
{
	for (int i = 0; i < CONF__COUNT; i++)
		if (conf_keys[i].when == CONF_LIVE)
			swap(into, from, (enum conf_id)i);
}
