#include "common/conf/conf_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

#define CONF_ROW(type, when, section, key, def, min, max, env, help)       \
	{ CONF_##type, CONF_##when, #section, #key, offsetof(struct conf, key), def, min, \
	  max, env, help },
const struct conf_key conf_keys[CONF__COUNT] = { CONF_TABLE(CONF_ROW) };
#undef CONF_ROW

int conf_error(struct conf_reading *rd, enum conf_id id, const char *fmt, ...)
{
	const struct conf_origin *o = &rd->origin[id];
	const char *key = conf_keys[id].key;
	va_list ap;
	int n;

	if (o->env[0] != '\0')
		n = snprintf(rd->err, CONF_ERR_MAX, "%s: %s: ", o->env, key);
	else if (o->credential)
		n = snprintf(rd->err, CONF_ERR_MAX, "credential %s: ", key);
	else if (rd->path == NULL)
		n = snprintf(rd->err, CONF_ERR_MAX, "%s: ", key);
	else if (o->line > 0)
		n = snprintf(rd->err, CONF_ERR_MAX, "%.100s:%d: %s: ", rd->path,
			     o->line, key);
	else
		n = snprintf(rd->err, CONF_ERR_MAX, "%.100s: %s: ", rd->path,
			     key);
	va_start(ap, fmt);
	vsnprintf(rd->err + n, CONF_ERR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int set_text(struct conf_reading *rd, enum conf_id id, const char *text,
		    bool quotable)
{
	const struct conf_key *k = &conf_keys[id];
	char **field = conf_str_field(rd->conf, id);
	char why[CONF_WHY_MAX];
	char *value;
	size_t n;

	if (!quotable)
		value = mem_strdup(text);
	else if (conf_unquote(text, &value, why) != 0)
		return conf_error(rd, id, "%s", why);
	n = strlen(value);
	if (n < (size_t)k->min || n > (size_t)k->max) {
		free(value);
		return n == 0 ? conf_error(rd, id, "must not be empty") :
				conf_error(rd, id, "%zu bytes long; at most %" PRId64
					   " are allowed", n, k->max);
	}
	for (size_t i = 0; k->type == CONF_STR && i < n; i++) {
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f) {
			free(value);
			return conf_error(rd, id, "contains a control character");
		}
	}
	free(*field);
	*field = value;
	return 0;
}

static int set_value(struct conf_reading *rd, enum conf_id id, const char *text,
		     bool quotable)
{
	const struct conf_key *k = &conf_keys[id];
	char why[CONF_WHY_MAX];
	int64_t v;

	if (conf_is_text(k->type))
		return set_text(rd, id, text, quotable);
	if (conf_parse_number(k, text, &v, why) != 0)
		return conf_error(rd, id, "%s", why);
	*conf_int_field(rd->conf, id) = v;
	return 0;
}

int conf_set(struct conf_reading *rd, enum conf_id id, const char *text)
{
	return set_value(rd, id, text, true);
}

int conf_set_raw(struct conf_reading *rd, enum conf_id id, const char *text)
{
	return set_value(rd, id, text, false);
}

static int read_variable(struct conf_reading *rd, enum conf_id id,
			 const char *name, bool *found)
{
	const char *text = getenv(name);

	*found = text != NULL;
	if (text == NULL)
		return 0;
	snprintf(rd->origin[id].env, sizeof(rd->origin[id].env), "%s", name);
	return conf_set_raw(rd, id, text);
}

/* PAIRWIRE_<KEY>, else the first of the other names that is set. */
static int read_variables(struct conf_reading *rd, enum conf_id id)
{
	const struct conf_key *k = &conf_keys[id];
	char name[64];
	bool found;
	int n, rc;

	n = snprintf(name, sizeof(name), "PAIRWIRE_%s", k->key);
	for (int i = 0; i < n; i++)
		if (name[i] >= 'a' && name[i] <= 'z')
			name[i] = (char)(name[i] - 'a' + 'A');
	rc = read_variable(rd, id, name, &found);
	for (const char *p = k->env; rc == 0 && !found && *p != '\0';) {
		size_t len = strcspn(p, " ");

		snprintf(name, sizeof(name), "%.*s", (int)len, p);
		rc = read_variable(rd, id, name, &found);
		p += len + strspn(p + len, " ");
	}
	return rc;
}

static int set_defaults(struct conf_reading *rd)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < CONF__COUNT; i++) {
		if (conf_is_text(conf_keys[i].type))
			*conf_str_field(rd->conf, (enum conf_id)i) =
				mem_strdup(conf_keys[i].def);
		else
			rc = conf_set(rd, (enum conf_id)i, conf_keys[i].def);
	}
	return rc;
}

static int read_surroundings(struct conf_reading *rd)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < CONF__COUNT; i++) {
		rc = conf_read_credential(rd, (enum conf_id)i);
		if (rc == 0)
			rc = read_variables(rd, (enum conf_id)i);
	}
	return rc;
}

static struct conf_origins *origins_of(const struct conf_reading *rd)
{
	struct conf_origins *o = mem_zalloc(sizeof(*o));

	o->path = rd->path != NULL ? mem_strdup(rd->path) : NULL;
	memcpy(o->of, rd->origin, sizeof(o->of));
	return o;
}

/* fd -1: no file. */
static int conf_read(struct conf_reading *rd, int fd, bool environment,
		     enum conf_for whom, struct conf **out)
{
	int rc;

	rd->conf = mem_zalloc(sizeof(*rd->conf));
	rc = set_defaults(rd);
	if (rc == 0 && fd != -1)
		rc = conf_read_file(rd, fd);
	if (rc == 0 && environment)
		rc = read_surroundings(rd);
	if (rc == 0)
		rc = conf_resolve(rd);
	if (rc == 0 && environment && whom == CONF_FOR_SERVER)
		rc = conf_read_public_key(rd);
	if (rc == 0 && whom != CONF_FOR_TOOL)
		rc = conf_check(rd, whom);
	if (rc != 0) {
		conf_free(&rd->conf);
		return rc;
	}
	if (environment)
		rd->conf->origins = origins_of(rd);
	*out = rd->conf;
	return 0;
}

int conf_load(const char *path, enum conf_for whom, struct conf **out,
	      char err[CONF_ERR_MAX])
{
	struct conf_reading rd = { .path = path, .err = err };
	int fd = -1;
	int rc;

	if (path != NULL) {
		/* one that nobody writes to would not even open */
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd == -1) {
			rc = -errno;
			snprintf(err, CONF_ERR_MAX, "%s: %s", path,
				 strerror(errno));
			return rc;
		}
	}
	rc = conf_read(&rd, fd, true, whom, out);
	if (fd != -1)
		close(fd);
	return rc;
}

const char *conf_default_path(void)
{
	static const char path[] = SYSCONFDIR "/pairwire.conf";

	/* One that cannot be read is not the same as none. */
	return access(path, F_OK) == -1 && errno == ENOENT ? NULL : path;
}

int conf_read_fd(int fd, struct conf **out, char err[CONF_ERR_MAX])
{
	struct conf_reading rd = { .path = "inherited configuration",
				   .err = err };

	return conf_read(&rd, fd, false, CONF_FOR_SERVER, out);
}

void conf_free(struct conf **cp)
{
	struct conf *c = *cp;

	if (c == NULL)
		return;
	for (int i = 0; i < CONF__COUNT; i++) {
		char *text;

		if (!conf_is_text(conf_keys[i].type))
			continue;
		text = *conf_str_field(c, (enum conf_id)i);
		if (text != NULL && conf_keys[i].type == CONF_SECRET)
			explicit_bzero(text, strlen(text));
		free(text);
	}
	if (c->origins != NULL)
		free(c->origins->path);
	free(c->origins);
	free(c);
	*cp = NULL;
}

void conf_write(const struct conf *c, struct buf *out)
{
	struct conf *values = (struct conf *)(uintptr_t)c;	/* read only */
	const char *section = "";

	for (int i = 0; i < CONF__COUNT; i++) {
		const struct conf_key *k = &conf_keys[i];

		if (strcmp(section, k->section) != 0)
			buf_printf(out, "[%s]\n", k->section);
		section = k->section;
		buf_printf(out, "%s = ", k->key);
		if (conf_is_text(k->type))
			conf_quote(out, *conf_str_field(values, (enum conf_id)i));
		else
			buf_printf(out, "%" PRId64 "%s",
				   *conf_int_field(values, (enum conf_id)i),
				   k->type == CONF_MSEC ? "ms" : "");
		buf_addc(out, '\n');
	}
}
