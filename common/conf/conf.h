/* Configuration: one INI file, environment, defaults, all through one table
 * and one parser (pairwire.conf). */
#ifndef PW_CONF_H
#define PW_CONF_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/conf/conf_table.h"

#define CONF_FIELD_STR(key) char *key;
#define CONF_FIELD_SECRET(key) char *key;
#define CONF_FIELD_UINT(key) uint64_t key;
#define CONF_FIELD_SIZE(key) uint64_t key;	/* bytes; k, M, G */
#define CONF_FIELD_MSEC(key) int64_t key;	/* ms, s, m, h */
#define CONF_FIELD(type, section, key, def, min, max, env, help) \
	CONF_FIELD_##type(key)
struct conf {
	CONF_TABLE(CONF_FIELD)
};
#undef CONF_FIELD

#define CONF_ERR_MAX 256

/* Defaults, then the file (NULL: none), then the environment; checked whole.
 * 0, or -EINVAL / -errno with "file:line: key: what is wrong" in err. */
int conf_load(const char *path, struct conf **out, char err[CONF_ERR_MAX])
	MUST_CHECK;
void conf_free(struct conf **c);

/* The effective values, secrets included, for handing to a worker through a
 * memfd; and back. The text is an INI file itself. */
void conf_write(const struct conf *c, struct buf *out);
int conf_read_fd(int fd, struct conf **out, char err[CONF_ERR_MAX]) MUST_CHECK;

#endif
