/* user:status: that a user came online or went offline is told to those of his
 * matches who are online. One round at a time, of up to 64 users: their matches
 * are one query, then Redis says whether the news still holds (whoever changed
 * it since tells that), and a few hundred of the matches are told in each turn of
 * the loop. Rounds are 20 ms apart or more: a crowd that comes back costs a
 * steady trickle, and one who comes and goes meanwhile is told of once, as he is
 * by then. While PostgreSQL or Redis is away the news waits; after Redis was, for
 * rejoin_ms more (a lease, when it only forgot this worker): by then every worker
 * that lives has its users registered again, and they can be told. */
#ifndef PW_ANNOUNCE_H
#define PW_ANNOUNCE_H

#include "worker/chat/chat.h"

/* News of so many users waits; what is beyond is not told. */
#define ANNOUNCE_MAX 50000

void announce_init(struct chat *c);
void announce_free(struct chat *c);
void announce(struct chat *c, const char *user_id, bool online);
/* Some news is not told yet. */
bool announce_waiting(const struct chat *c);
/* Redis was away, or has forgotten this worker, and maybe others: no round for ms
 * milliseconds. */
void announce_hold(struct chat *c, int64_t ms);

#endif
