/* The backends of a worker: X(name, gauge of its page, what people read). */
#ifndef PW_BACKEND_ROWS_H
#define PW_BACKEND_ROWS_H

#define BACKEND_ROWS(X)                                 \
	X(redis, redis_up, "redis")                     \
	X(redis_sub, redis_sub_up, "redis subscription") \
	X(postgres, postgres_up, "directory database")  \
	X(listen, listen_up, "directory changes")       \
	X(store, store_up, "message store")             \
	X(push, push_up, "push queue")

#endif
