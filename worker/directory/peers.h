/* Who is matched with whom. Loop thread only. */
#ifndef PW_PEERS_H
#define PW_PEERS_H

#include "worker/directory.h"

struct peers;
struct pg;

struct peers *peers_new(struct loop *l, struct pg *pg);
/* After pg_free(). What waits gets -ECANCELED. */
void peers_free(struct peers **p);
/* As directory_peers(), directory_matched(). */
void peers_get(struct peers *p, const char *user_id, directory_peers_cb *cb,
	       void *arg);
void peers_matched(struct peers *p, const char *user_id,
		   const char *const *others, size_t n,
		   directory_matched_cb *cb, void *arg);

#endif
