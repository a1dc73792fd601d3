/* The table as data, and what reading it is made of. For common/conf and its
 * tests; everybody else uses conf.h. */
#ifndef PW_CONF_KEYS_H
#define PW_CONF_KEYS_H

#include "common/conf/conf.h"

enum conf_type {
	CONF_STR, CONF_SECRET, CONF_BOOL, CONF_UINT, CONF_SIZE, CONF_MSEC
};

#define CONF_ID(type, section, key, ...) CONF_KEY_##key,
enum conf_id { CONF_TABLE(CONF_ID) CONF__COUNT };
#undef CONF_ID

struct conf_key {
	enum conf_type type;
	const char *section;
	const char *key;
	size_t offset;		/* in struct conf */
	const char *def;
	int64_t min;
	int64_t max;		/* texts: of the length */
	const char *env;	/* further names, separated by spaces */
	const char *help;
};
extern const struct conf_key conf_keys[CONF__COUNT];

/* One reading: what is filled, where each value came from, and the first
 * error. */
struct conf_reading {
	struct conf *conf;
	const char *path;	/* NULL: no file */
	char *err;		/* CONF_ERR_MAX bytes */
	struct conf_origin {
		int line;	/* > 0: of the file */
		char env[64];	/* or this variable; "": the default */
	} origin[CONF__COUNT];
};

/* Each returns 0 or -EINVAL / -errno with the text in rd->err. */
int conf_read_file(struct conf_reading *rd, int fd) MUST_CHECK;
/* Everything that involves more than one key's own range: what must be set,
 * URL schemes, keys that contradict each other. */
int conf_check(struct conf_reading *rd) MUST_CHECK;
/* Empty values that stand for others get those (conf.h). */
int conf_resolve(struct conf_reading *rd) MUST_CHECK;

/* A postgresql:// URL without what only other clients understand (Prisma's
 * ?schema=…); a new string. */
char *conf_pg_url(const char *url);

/* Puts text, a value as written in the file, into the key's field. */
int conf_set(struct conf_reading *rd, enum conf_id id, const char *text)
	MUST_CHECK;
/* Writes "where: key: <fmt>" into rd->err; returns -EINVAL. */
int conf_error(struct conf_reading *rd, enum conf_id id, const char *fmt, ...)
	PRINTF(3, 4);

/* conf_value.c: one value's text. 0, or -EINVAL / -ERANGE with what is wrong
 * in why. */
#define CONF_WHY_MAX 160
int conf_parse_number(const struct conf_key *k, const char *text, int64_t *out,
		      char why[CONF_WHY_MAX]) MUST_CHECK;
/* As in the file: bare, or quoted. out is a new string. */
int conf_unquote(const char *text, char **out, char why[CONF_WHY_MAX])
	MUST_CHECK;
void conf_quote(struct buf *b, const char *text);

static inline char **conf_str_field(struct conf *c, enum conf_id id)
{
	return (char **)(void *)((char *)c + conf_keys[id].offset);
}

static inline int64_t *conf_int_field(struct conf *c, enum conf_id id)
{
	return (int64_t *)(void *)((char *)c + conf_keys[id].offset);
}

static inline bool conf_is_text(enum conf_type t)
{
	return t == CONF_STR || t == CONF_SECRET;
}

#endif
