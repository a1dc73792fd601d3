/* Configuration: one INI file, environment, defaults, all through one table
 * and one parser (pairwire.conf).
 *
 * A text value is what stands behind the "=", without surrounding space; or it
 * is in double quotes, where \\ \" \n \r \t and \xHH may be used. Comments
 * have lines of their own: an unquoted value with " ;" or " #" in it is
 * refused rather than guessed at. Values from the environment are taken as
 * they are, without quotes. */
#ifndef PW_CONF_H
#define PW_CONF_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/conf/conf_table.h"

#define CONF_FIELD_STR(key) char *key;
#define CONF_FIELD_SECRET(key) char *key;
#define CONF_FIELD_BOOL(key) int64_t key;	/* on 1, off 0 */
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
 * What is empty and stands for something else is filled in: node,
 * control_socket, store_url, push_queue_url. Text fields are never NULL.
 * 0, or -EINVAL / -errno with "where: key: what is wrong" in err; where is
 * "file:line" or the variable's name. Values of secrets are never in err. */
int conf_load(const char *path, struct conf **out, char err[CONF_ERR_MAX])
	MUST_CHECK;
/* The same without what must be set and how keys go together: for tools which
 * only want to find run_dir. */
int conf_load_unchecked(const char *path, struct conf **out,
			char err[CONF_ERR_MAX]) MUST_CHECK;
/* Wipes the secrets. NULLs *c. */
void conf_free(struct conf **c);

/* The effective values, secrets included, for handing to a worker through a
 * memfd; and back (from the fd's start; the environment does not count). The
 * text is an INI file itself, its texts quoted. */
void conf_write(const struct conf *c, struct buf *out);
int conf_read_fd(int fd, struct conf **out, char err[CONF_ERR_MAX]) MUST_CHECK;

#define CONF_HOST_MAX 256
/* "HOST:PORT", "[IPv6]:PORT". 0 or -EINVAL. */
int conf_host_port(const char *text, char host_out[CONF_HOST_MAX],
		   unsigned *port_out) MUST_CHECK;

#endif
