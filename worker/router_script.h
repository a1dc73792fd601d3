/* The Lua side of routing; see router_script.c for arguments and replies. */
#ifndef PW_ROUTER_SCRIPT_H
#define PW_ROUTER_SCRIPT_H

#include "common/backend/redis.h"

/* Everything that one loop turn routes, in order. ARGV: own instance, then the
 * operations, each a letter and its arguments:
 *   p user body            publish to the instances that hold user
 *   u user body match id   the same; id joins the user's unread set of match
 *   t user body key        the same; key is set for 5 s
 *   s user body key        the same; key is removed
 *   r user match n id*n    ids leave the user's unread set of match
 *   m n body user*n        publish to the instances that hold any of these, one
 *                          envelope each: body begins it, its users follow
 * Reply: one integer per operation, ROUTE_* below (r: 0); then the users of u
 * and r whose unread counters are lost. */
extern struct redis_script route_script;
#define ROUTE_LEAVING 1
#define ROUTE_PRESENT 2
#define ROUTE_RECEIVERS_SHIFT 2

/* A tick to our own channel: ENVELOPE_VERSION, counter, ':', ROUTER_TICK, Redis
 * TIME in µs. counter is that of the last publish to us, so a lost one shows
 * even when nothing follows it. To a decoder it is an envelope of an unknown
 * kind.
 * ARGV: own instance. Reply: subscribers that got it. */
extern struct redis_script tick_script;
#define ROUTER_TICK '~'

#endif
