#include "common/conf/conf_show.h"

#include <stdlib.h>
#include <string.h>

#include "common/conf/conf_keys.h"

#define HIDDEN "***"

static bool is_harmless(struct slice key, struct slice value)
{
	static const char *const keys[] = {
		"authSource", "db", "replicaSet", "sslmode", "tls",
	};
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	for (size_t i = 0; i < value.n; i++)
		if (memchr(plain, value.p[i], sizeof(plain) - 1) == NULL)
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (key.n == strlen(keys[i]) &&
		    memcmp(keys[i], key.p, key.n) == 0)
			return true;
	return false;
}

static void mask_parameter(struct slice s, struct buf *out)
{
	const char *eq = memchr(s.p, '=', s.n);
	struct slice key, value;

	if (eq == NULL) {
		buf_adds(out, HIDDEN);
		return;
	}
	key = (struct slice){ s.p, (size_t)(eq - s.p) };
	value = (struct slice){ eq + 1, s.n - key.n - 1 };
	buf_add(out, key.p, key.n);
	buf_addc(out, '=');
	if (is_harmless(key, value))
		buf_add(out, value.p, value.n);
	else
		buf_adds(out, HIDDEN);
}

static void mask_query(const char *p, struct buf *out)
{
	for (;;) {
		size_t n = strcspn(p, "&");

		mask_parameter((struct slice){ p, n }, out);
		if (p[n] == '\0')
			return;
		buf_addc(out, '&');
		p += n + 1;
	}
}

void conf_mask_url(const char *url, struct buf *out)
{
	const char *rest = strstr(url, "://"), *at;
	size_t n;

	if (rest == NULL) {
		buf_adds(out, "(set)");
		return;
	}
	rest += strlen("://");
	buf_add(out, url, (size_t)(rest - url));
	/* The last one: a password as it came out of a generator may have some,
	 * and a '/' or a '?' before it. */
	at = strrchr(rest, '@');
	if (at != NULL) {
		buf_adds(out, HIDDEN "@");
		rest = at + 1;
	}
	n = strcspn(rest, "?#");
	buf_add(out, rest, n);
	if (rest[n] == '?') {
		buf_addc(out, '?');
		mask_query(rest + n + 1, out);
	}
}

static bool is_url(const char *key)
{
	size_t n = strlen(key);

	return n > 4 && strcmp(key + n - 4, "_url") == 0;
}

/* Would the file's reader take it as it is? */
static bool is_bare(const char *text)
{
	size_t n = strlen(text);
	char *value = NULL, why[CONF_WHY_MAX];
	bool bare;

	if (*text == '"' || strpbrk(text, "\r\n\t") != NULL ||
	    (n > 0 && (*text == ' ' || text[n - 1] == ' ')))
		return false;
	bare = conf_unquote(text, &value, why) == 0;
	free(value);
	return bare;
}

static void add_value(const struct conf *c, enum conf_id id, struct buf *out)
{
	struct conf *values = (struct conf *)(uintptr_t)c;	/* read only */
	const struct conf_key *k = &conf_keys[id];
	const char *text;

	if (!conf_is_text(k->type)) {
		conf_number_text(k->type, *conf_int_field(values, id), out);
		return;
	}
	text = *conf_str_field(values, id);
	if (k->type == CONF_STR && is_bare(text))
		buf_adds(out, text);
	else if (k->type == CONF_STR)
		conf_quote(out, text);
	else if (*text == '\0')
		buf_adds(out, "(empty)");
	else if (is_url(k->key))
		conf_mask_url(text, out);
	else
		buf_adds(out, "(set)");
}

static void add_origin(const struct conf *c, enum conf_id id, struct buf *out)
{
	static const struct conf_origin unknown;
	const struct conf_origin *o = c->origins != NULL ? &c->origins->of[id] :
							   &unknown;

	if (c->origins == NULL)
		buf_adds(out, "the master");
	else if (o->env[0] != '\0')
		buf_printf(out, "environment %s", o->env);
	else if (o->credential)
		buf_printf(out, "credential %s", conf_keys[id].key);
	else if (o->line > 0)
		buf_printf(out, "%s:%d", c->origins->path, o->line);
	else
		buf_adds(out, "default");
	if (o->derived)
		buf_adds(out, id == CONF_KEY_node ? ", the host's name" :
						    ", from other keys");
	if (o->kept)
		buf_adds(out, ", as read at the start; it has changed since");
}

bool conf_line(const struct conf *c, unsigned n, struct conf_line *out)
{
	if (n >= CONF__COUNT)
		return false;
	*out = (struct conf_line){
		.section = conf_keys[n].section,
		.key = conf_keys[n].key,
		.when = conf_keys[n].when,
		.secret = conf_keys[n].type == CONF_SECRET,
	};
	add_value(c, (enum conf_id)n, &out->value);
	add_origin(c, (enum conf_id)n, &out->origin);
	return true;
}

void conf_line_free(struct conf_line *l)
{
	buf_free(&l->value);
	buf_free(&l->origin);
}

const char *conf_when_name(enum conf_when when)
{
	static const char *const names[] = {
		[CONF_LIVE] = "live", [CONF_WORKER] = "workers",
		[CONF_RESTART] = "restart", [CONF_PUSHD] = "pushd",
	};

	return names[when];
}
