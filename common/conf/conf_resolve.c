/* Empty values that stand for something. */
#include "common/conf/conf_keys.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

static void replace(struct conf *c, enum conf_id id, char *value)
{
	char **field = conf_str_field(c, id);

	free(*field);
	*field = value;
}

/* RFC 3986 2.1: everything but unreserved characters. */
static void add_escaped(struct buf *b, const char *s, const char *also)
{
	for (; *s != '\0'; s++) {
		unsigned char ch = (unsigned char)*s;

		if ((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
		    (ch >= 'A' && ch <= 'Z') || strchr("-._~", ch) != NULL ||
		    strchr(also, ch) != NULL)
			buf_addc(b, (char)ch);
		else
			buf_printf(b, "%%%02X", ch);
	}
}

static char *redis_url(const struct conf *c)
{
	bool path = *c->redis_host == '/';
	bool v6 = !path && strchr(c->redis_host, ':') != NULL;
	struct buf b = { 0 };
	char *url;

	buf_adds(&b, path ? "redis+unix://" : "redis://");
	if (*c->redis_password != '\0') {
		buf_addc(&b, ':');
		add_escaped(&b, c->redis_password, "");
		buf_addc(&b, '@');
	}
	if (path) {
		add_escaped(&b, c->redis_host, "/");
		buf_printf(&b, "?db=%u", (unsigned)c->redis_db);
	} else {
		buf_adds(&b, v6 ? "[" : "");
		add_escaped(&b, c->redis_host, ":");
		buf_printf(&b, "%s:%u/%u", v6 ? "]" : "",
			   (unsigned)c->redis_port, (unsigned)c->redis_db);
	}
	url = mem_strndup(b.p, b.len);
	explicit_bzero(b.p, b.len);
	buf_free(&b);
	return url;
}

/* The reference's variable: host:port,host:port alone. */
static void kafka_brokers(struct conf_reading *rd)
{
	const char *list = rd->conf->push_queue_url;
	struct buf b = { 0 };

	if (strcmp(rd->origin[CONF_KEY_push_queue_url].env, "KAFKA_BROKERS") != 0 ||
	    *list == '\0' || strstr(list, "://") != NULL)
		return;
	buf_adds(&b, "kafka://");
	for (; *list != '\0'; list++)	/* "a:1, b:2" is common */
		if (*list != ' ')
			buf_addc(&b, *list);
	replace(rd->conf, CONF_KEY_push_queue_url, mem_strndup(b.p, b.len));
	buf_free(&b);
}

static char *socket_path(const struct conf *c)
{
	struct buf b = { 0 };
	char *path;

	buf_printf(&b, "%s/control.sock", c->run_dir);
	path = mem_strndup(b.p, b.len);
	buf_free(&b);
	return path;
}

static char *node_name(const struct conf *c)
{
	return mem_strdup(c->node);
}

static char *directory_url(const struct conf *c)
{
	return mem_strdup(c->database_url);
}

/* What an empty value stands for when that is made of other keys. */
static char *(*const made_of_others[CONF__COUNT])(const struct conf *c) = {
	[CONF_KEY_control_socket] = socket_path,
	[CONF_KEY_store_url] = directory_url,
	[CONF_KEY_push_queue_url] = redis_url,
	[CONF_KEY_pushd_name] = node_name,
};

bool conf_is_derived(const struct conf *c, enum conf_id id)
{
	char *other;
	bool same;

	if (made_of_others[id] == NULL)
		return false;
	other = made_of_others[id](c);
	same = strcmp(*conf_str_field((struct conf *)(uintptr_t)c, id), other) == 0;
	explicit_bzero(other, strlen(other));
	free(other);
	return same;
}

void conf_derive(struct conf *c, enum conf_id id)
{
	replace(c, id, made_of_others[id](c));
}

static void fill_in(struct conf_reading *rd, enum conf_id id)
{
	if (**conf_str_field(rd->conf, id) != '\0')
		return;
	conf_derive(rd->conf, id);
	rd->origin[id].derived = true;
}

/* A URL that other clients take, too. */
static void clean_pg_url(struct conf *c, enum conf_id id)
{
	const char *url = *conf_str_field(c, id);

	if (conf_is_postgres(url))
		replace(c, id, conf_pg_url(url));
}

int conf_resolve(struct conf_reading *rd)
{
	struct conf *c = rd->conf;

	if (*c->node == '\0') {
		char host[65] = "";

		if (gethostname(host, sizeof(host) - 1) == -1 || *host == '\0')
			return conf_error(rd, CONF_KEY_node,
					  "this host has no name; set one");
		replace(c, CONF_KEY_node, mem_strdup(host));
		rd->origin[CONF_KEY_node].derived = true;
	}
	clean_pg_url(c, CONF_KEY_database_url);
	clean_pg_url(c, CONF_KEY_store_url);
	kafka_brokers(rd);
	for (int i = 0; i < CONF__COUNT; i++)
		if (made_of_others[i] != NULL)
			fill_in(rd, (enum conf_id)i);
	return 0;
}
