/* The table as data, and what reading it is made of. For common/conf and its
 * tests; everybody else uses conf.h. */
#ifndef PW_CONF_KEYS_H
#define PW_CONF_KEYS_H

#include <sys/types.h>

#include "common/conf/conf.h"

enum conf_type {
	CONF_STR, CONF_SECRET, CONF_BOOL, CONF_UINT, CONF_SIZE, CONF_MSEC
};

#define CONF_ID(type, when, section, key, ...) CONF_KEY_##key,
enum conf_id { CONF_TABLE(CONF_ID) CONF__COUNT };
#undef CONF_ID

struct conf_key {
	enum conf_type type;
	enum conf_when when;
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

/* Where a value came from; all empty: the default. */
struct conf_origin {
	int line;		/* > 0: of the file */
	bool credential;	/* or the file of this name from systemd */
	char env[64];		/* or this variable */
	bool derived;		/* it was empty, and stands for this */
	bool kept;		/* the file says otherwise by now (conf_keep()) */
};
struct conf_origins {
	char *path;		/* the file's; NULL: none */
	struct conf_origin of[CONF__COUNT];
};

/* One reading: what is filled, where each value came from, and the first
 * error. */
struct conf_reading {
	struct conf *conf;
	const char *path;	/* NULL: no file */
	char *err;		/* CONF_ERR_MAX bytes */
	struct conf_origin origin[CONF__COUNT];
};

/* Each returns 0 or -EINVAL / -errno with the text in rd->err. */
int conf_read_file(struct conf_reading *rd, int fd) MUST_CHECK;
/* Everything that involves more than one key's own range: what must be set,
 * URL schemes, keys that contradict each other. */
int conf_check(struct conf_reading *rd, enum conf_for whom) MUST_CHECK;
/* The section [pushd]. */
int conf_check_pushd(struct conf_reading *rd) MUST_CHECK;
/* Empty values that stand for others get those (conf.h). */
int conf_resolve(struct conf_reading *rd) MUST_CHECK;
/* Is this what the key would be if it was empty, and that is made of other keys? */
bool conf_is_derived(const struct conf *c, enum conf_id id);
/* Makes it of the others again. Only of a key that was derived. */
void conf_derive(struct conf *c, enum conf_id id);

bool conf_is_postgres(const char *url);
/* A postgresql:// URL without what only other clients understand (Prisma's
 * ?schema=…); a new string. */
char *conf_pg_url(const char *url);

/* conf_credential.c: the secrets that systemd gives as files: below
 * $CREDENTIALS_DIRECTORY, named as the keys. */
int conf_read_credential(struct conf_reading *rd, enum conf_id id) MUST_CHECK;

/* conf_slurp.c: a whole regular file of less than room bytes. How many; -EFBIG,
 * -EINVAL (not a regular file), or another -errno. */
ssize_t conf_slurp(const char *path, char *out, size_t room) MUST_CHECK;

/* conf_public_key.c: jwt_public_key is that of the file, if there is one, and is
 * good; no other key is set beside it; and jwt_secret is not such a key. */
int conf_read_public_key(struct conf_reading *rd) MUST_CHECK;

/* Puts text, a value as written in the file, into the key's field. */
int conf_set(struct conf_reading *rd, enum conf_id id, const char *text)
	MUST_CHECK;
/* text as it is, without quotes. */
int conf_set_raw(struct conf_reading *rd, enum conf_id id, const char *text)
	MUST_CHECK;
/* A name for Redis keys, log fields and JSON: letters, digits and . _ - */
int conf_check_name(struct conf_reading *rd, enum conf_id id) MUST_CHECK;
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
/* A number as a person would write it into the file. */
void conf_number_text(enum conf_type t, int64_t v, struct buf *out);

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
