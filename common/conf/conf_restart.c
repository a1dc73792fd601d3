/* The values that count at a restart only, from one program to the next. */
#include "common/conf/conf_keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

const char *conf_restart_key(size_t i)
{
	for (size_t id = 0; id < CONF__COUNT; id++)
		if (conf_keys[id].when == CONF_RESTART && i-- == 0)
			return conf_keys[id].key;
	return NULL;
}

static enum conf_id find(const char *key)
{
	size_t id = 0;

	while (id < CONF__COUNT && (conf_keys[id].when != CONF_RESTART ||
				    strcmp(conf_keys[id].key, key) != 0))
		id++;
	return (enum conf_id)id;
}

static void value_text(struct conf *c, enum conf_id id, struct buf *out)
{
	const struct conf_key *k = &conf_keys[id];

	if (conf_is_text(k->type))
		conf_quote(out, *conf_str_field(c, id));
	else
		buf_printf(out, "%" PRId64 "%s", *conf_int_field(c, id),
			   k->type == CONF_MSEC ? "ms" : "");
}

void conf_restart_get(const struct conf *c, const char *key, struct buf *out)
{
	enum conf_id id = find(key);

	if (id < CONF__COUNT)
		value_text((struct conf *)(uintptr_t)c, id, out);	/* read only */
}

int conf_restart_set(struct conf *c, const char *key, const char *text,
		     bool *changed_out, char err[CONF_ERR_MAX])
{
	struct conf_reading rd = { .conf = c, .path = "state", .err = err };
	struct buf was = { 0 }, is = { 0 };
	enum conf_id id = find(key);
	int rc;

	*changed_out = false;
	if (id == CONF__COUNT)
		return 0;
	value_text(c, id, &was);
	rc = conf_set(&rd, id, text);
	value_text(c, id, &is);
	*changed_out = strcmp(buf_str(&was), buf_str(&is)) != 0;
	buf_free(&was);
	buf_free(&is);
	if (*changed_out && c->origins != NULL)
		c->origins->of[id].kept = true;
	return rc;
}
