/* Which of the acknowledgements that we asked a client for are still to come. */
#ifndef PW_SIO_ASKS_H
#define PW_SIO_ASKS_H

#include "common/base/base.h"

/* Of more the oldest are forgotten: a client that answers none costs no more. */
#define SIO_ASKS_MAX 1024

struct sio_asks {
	int64_t next;	/* id */
	uint64_t awaited[SIO_ASKS_MAX / 64];	/* a bit each of the last ids */
};

/* A new id, from 0 up. */
int64_t sio_asks_add(struct sio_asks *a);
/* True when it was awaited; it is not any more. a may be NULL: none is. */
bool sio_asks_take(struct sio_asks *a, int64_t id);

#endif
