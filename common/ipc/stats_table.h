/* Every counter, gauge and histogram of a worker, in one table. The page's name
 * table, `pairwirectl status` and /metrics come from it. Order may change
 * freely: readers go by name. Histograms are in microseconds and named _us. A
 * gauge named cluster_* is what this worker knows of the whole cluster: of
 * several workers' the highest counts, where others are added up. */
#ifndef PW_STATS_TABLE_H
#define PW_STATS_TABLE_H

#define STATS_TABLE(X)                                                          \
	X(GAUGE, heartbeat_ms, "monotonic ms of the loop's last turn")          \
	X(GAUGE, connections, "open client connections")                        \
	X(GAUGE, sessions, "open Engine.IO sessions")                           \
	X(GAUGE, sessions_polling, "sessions on long-polling")                  \
	X(GAUGE, sockets, "connected Socket.IO sockets")                        \
	X(GAUGE, users, "users with a socket on this worker")                   \
	X(GAUGE, cluster_online_users, "users online in the cluster, by Redis") \
	X(GAUGE, redis_up, "1 while the Redis command connection is up")        \
	X(GAUGE, redis_sub_up, "1 while the Redis subscription is up")          \
	X(GAUGE, postgres_up, "1 while the directory's PostgreSQL is up")       \
	X(GAUGE, listen_up, "1 while the directory's LISTEN is proven")         \
	X(GAUGE, store_up, "1 while the message store is reachable")            \
	X(GAUGE, push_up, "1 while the push queue is reachable")                \
	X(GAUGE, catching_up, "devices getting what they missed")               \
	X(GAUGE, confirms_waiting, "confirmations the store has not taken")     \
	X(GAUGE, unrouted, "stored messages that wait for Redis")               \
	X(GAUGE, outbox_bytes, "bytes waiting in session outboxes")             \
	X(COUNTER, accepted, "connections accepted")                            \
	X(COUNTER, http_requests, "HTTP requests answered")                     \
	X(COUNTER, http_refused, "HTTP requests answered with an error")        \
	X(COUNTER, http_timeouts, "HTTP connections too slow")                  \
	X(COUNTER, proxy_refused, "connections without a PROXY header")         \
	X(COUNTER, upgrades, "sessions moved from polling to WebSocket")        \
	X(COUNTER, handed_over, "connections given to the session's worker")    \
	X(COUNTER, handed_in, "connections got from another worker")            \
	X(COUNTER, handover_failed, "connections whose worker was not there")   \
	X(COUNTER, limited_connects, "sessions refused: connect_rate")          \
	X(COUNTER, limited_users, "sockets refused: user_connections")          \
	X(COUNTER, limited_messages, "message:send refused: message_rate")      \
	X(COUNTER, limited_content, "client events refused: too large")         \
	X(COUNTER, auth_failed, "Socket.IO connects refused")                   \
	X(COUNTER, events_in, "client events received")                         \
	X(COUNTER, events_refused, "client events answered with an error")      \
	X(COUNTER, messages_accepted, "message:send stored and acknowledged")   \
	X(COUNTER, messages_duplicate, "resends recognised")                    \
	X(COUNTER, messages_failed, "message:send not stored")                  \
	X(COUNTER, messages_emitted, "message:new written to local sockets")    \
	X(COUNTER, messages_confirmed, "messages confirmed by a local device")  \
	X(COUNTER, messages_read, "messages marked read here")                  \
	X(COUNTER, recovered, "devices that came back where they were")         \
	X(COUNTER, not_recovered, "devices whose offset was of no use")         \
	X(COUNTER, caught_up, "messages given to devices from the store")       \
	X(COUNTER, gaps, "times that envelopes or routes were lost")            \
	X(COUNTER, swept, "messages not confirmed within delivery_timeout")     \
	X(COUNTER, sweep_dropped, "swept messages of ended matches")            \
	X(COUNTER, unread_rebuilt, "users whose unread counters were rebuilt")  \
	X(COUNTER, announced, "user:status told to the user's matches")         \
	X(COUNTER, relayed, "events of other backends given to devices")        \
	X(COUNTER, push_queued, "push events queued")                           \
	X(COUNTER, push_refused, "push events the queue did not take")          \
	X(COUNTER, routed, "envelopes published to other workers")              \
	X(COUNTER, received, "envelopes received from other workers")           \
	X(COUNTER, closed_client, "sessions closed: client left")               \
	X(COUNTER, closed_ping_timeout, "sessions closed: no pong")             \
	X(COUNTER, closed_parse, "sessions closed: not Engine.IO")              \
	X(COUNTER, closed_protocol, "sessions closed: not Socket.IO")           \
	X(COUNTER, closed_too_large, "sessions closed: message too large")      \
	X(COUNTER, closed_auth, "sessions closed: token expired")               \
	X(COUNTER, closed_outbox, "sessions closed: client does not read")      \
	X(COUNTER, closed_server, "sessions closed: server stopping")           \
	X(HISTOGRAM, store_us, "message:send accepted until durable")           \
	X(HISTOGRAM, confirm_us, "message:new written until confirmed")         \
	X(HISTOGRAM, route_us, "Redis routing round trip")

#endif
