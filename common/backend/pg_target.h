/* Where and as whom to connect: the URL taken apart, its host names resolved
 * without blocking, put together again for libpq. Only common/backend
 * includes this. */
#ifndef PW_PG_TARGET_H
#define PW_PG_TARGET_H

#include <libpq-fe.h>

#include "common/base/base.h"

struct loop;
struct pg_target;

/* url, name (application_name) are copied. A URL that cannot be read is
 * reported by each pg_target_resolve(). */
struct pg_target *pg_target_new(struct loop *l, const char *url,
				const char *name);
void pg_target_free(struct pg_target **t);
/* "host=… dbname=…" for the log: no password. To be free()d. */
char *pg_target_where(const struct pg_target *t);

/* Once, never before pg_target_resolve() returns. error: NULL, or why nothing
 * can be connected to. Names that come from a service file are libpq's to look
 * up (which blocks); put them into the URL instead. */
typedef void pg_target_cb(void *arg, const char *error);
void pg_target_resolve(struct pg_target *t, pg_target_cb *cb, void *arg);
/* PQconnectStartParams() with what was resolved last. NULL: out of memory. */
PGconn *pg_target_connect(const struct pg_target *t);
/* The last attempt took too long (libpq knows no limit per address when
 * polled): begin with the next address from now on, so that one that swallows
 * packets does not hide the others. */
void pg_target_rotate(struct pg_target *t);

#endif
