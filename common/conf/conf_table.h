/* Every configuration key, in one table:
 *   X(type, section, key, default as text, min, max, environment variables,
 *     help)
 * The field of struct conf has the key's name (durations: milliseconds).
 * Environment: PAIRWIRE_<KEY> always works; names listed here (separated by
 * spaces; the reference design's) work as well. Environment beats file. */
#ifndef PW_CONF_TABLE_H
#define PW_CONF_TABLE_H

#define CONF_TABLE(X)                                                              \
	X(STR,    server, listen, "0.0.0.0", 1, 255, "",                           \
	  "address to listen on")                                                  \
	X(UINT,   server, port, "3001", 0, 65535, "WS_PORT",                       \
	  "port to listen on; 0 takes a free one")                                 \
	X(UINT,   server, workers, "0", 0, 512, "",                                \
	  "worker processes; 0: one per core")                                     \
	X(STR,    server, node, "", 0, 64, "",                                     \
	  "this host's name in the cluster; empty: the host name")                 \
	X(STR,    server, run_dir, "/run/pairwire", 1, 80, "",                     \
	  "sockets of this master live here")                                      \
	X(STR,    server, control_socket, "", 0, 100, "",                          \
	  "control socket; empty: control.sock in run_dir")                        \
	X(MSEC,   server, stop_timeout, "10s", 100, 3600000, "",                   \
	  "workers still running this long after a stop are killed")               \
	X(MSEC,   server, stuck_timeout, "5s", 100, 3600000, "",                   \
	  "a worker whose loop stood still this long is killed and replaced")      \
	X(STR,    server, admin_listen, "127.0.0.1:3002", 0, 255, "",              \
	  "metrics and health over HTTP; port 0 takes a free one; empty: off")     \
	X(STR,    log, log_level, "info", 1, 16, "",                               \
	  "error, warning, info or debug")                                         \
	X(MSEC,   log, status_interval, "30s", 0, 86400000, "",                    \
	  "one line about connections and users this often; 0s: none")             \
	X(MSEC,   engine, ping_interval, "25s", 100, 3600000, "",                  \
	  "from a pong to the next ping")                                          \
	X(MSEC,   engine, ping_timeout, "60s", 100, 3600000, "",                   \
	  "a pong may take this long")                                             \
	X(MSEC,   engine, connect_timeout, "45s", 100, 3600000, "",                \
	  "a session without a Socket.IO connect ends")                            \
	X(MSEC,   engine, head_timeout, "10s", 100, 3600000, "",                   \
	  "a request head may take this long")                                     \
	X(MSEC,   engine, body_timeout, "30s", 100, 3600000, "",                   \
	  "a request body, and the reading of an answer, may take this long")      \
	X(MSEC,   engine, keepalive_timeout, "75s", 100, 3600000, "",              \
	  "an HTTP connection may idle this long between requests")                \
	X(MSEC,   engine, upgrade_timeout, "10s", 100, 3600000, "",                \
	  "a switch from polling to WebSocket may take this long")                 \
	X(SIZE,   engine, max_payload, "1000000", 1024, 104857600, "",             \
	  "largest message of a client, in bytes")                                 \
	X(SIZE,   engine, outbox_limit, "1M", 16384, 1073741824, "",               \
	  "bytes waiting for a client that does not read, before it is closed")    \
	X(BOOL,   engine, permessage_deflate, "off", 0, 1, "",                     \
	  "compress WebSocket messages of 1 KiB and more")                         \
	X(STR,    http, allowed_origins, "", 0, 4096, "ALLOWED_ORIGINS",           \
	  "web pages that may connect, separated by commas; *: all")               \
	X(BOOL,   http, cors_credentials, "on", 0, 1, "",                          \
	  "listed origins may send cookies")                                       \
	X(STR,    http, trusted_proxies, "127.0.0.1, ::1", 0, 4096, "",            \
	  "their X-Forwarded-For is believed: addresses or CIDR blocks")           \
	X(STR,    http, proxy_protocol_from, "", 0, 4096, "",                      \
	  "these must begin with a PROXY protocol header (v1 or v2)")              \
	X(UINT,   limits, connect_rate, "50", 0, 1000000, "",                      \
	  "new sessions per second and address, each worker; 0: no limit")         \
	X(UINT,   limits, connect_burst, "500", 1, 1000000, "",                    \
	  "new sessions of an address at once")                                    \
	X(UINT,   limits, user_connections, "20", 0, 1000000, "",                  \
	  "connections of one user to a worker; 0: no limit")                      \
	X(UINT,   limits, message_rate, "20", 0, 1000000, "",                      \
	  "message:send per second and user, each worker; 0: no limit")            \
	X(UINT,   limits, message_burst, "100", 1, 1000000, "",                    \
	  "message:send of a user at once")                                        \
	X(SECRET, auth, jwt_secret, "", 0, 4096, "JWT_SECRET",                     \
	  "HS256 secret of the users' tokens")                                     \
	X(MSEC,   auth, jwt_leeway, "30s", 0, 3600000, "",                         \
	  "clock difference allowed in exp and nbf")                               \
	X(SIZE,   chat, content_max, "4096", 1, 1048576, "",                       \
	  "longest message content, in bytes")                                     \
	X(MSEC,   chat, delivery_timeout, "10s", 100, 3600000, "",                 \
	  "not confirmed within this: a push falls due")                           \
	X(MSEC,   chat, offline_grace, "5s", 100, 3600000, "",                     \
	  "a user who left and is not back within this is offline")                \
	X(MSEC,   chat, recovery_window, "24h", 100, 2592000000, "",               \
	  "a client away for longer starts afresh")                                \
	X(UINT,   chat, recovery_events, "5000", 1, 1000000, "",                   \
	  "a client that missed more than this starts afresh")                     \
	X(SECRET, directory, database_url, "", 0, 4096, "DATABASE_URL",            \
	  "PostgreSQL with users and matches")                                     \
	X(MSEC,   directory, database_timeout, "5s", 100, 3600000, "",             \
	  "deadline of a directory query")                                         \
	X(MSEC,   directory, directory_stale_max, "10m", 100, 86400000, "",        \
	  "cached matches serve this long while PostgreSQL is down")               \
	X(UINT,   directory, directory_cache, "100000", 100, 100000000, "",        \
	  "matches and names cached per worker")                                   \
	X(SECRET, store, store_url, "", 0, 4096, "MONGODB_URI",                    \
	  "mongodb:// or postgresql://; empty: the directory's database")          \
	X(UINT,   store, store_lanes, "2", 1, 64, "",                              \
	  "concurrent batches per worker")                                         \
	X(MSEC,   store, store_timeout, "30s", 100, 30000, "",                     \
	  "deadline of a store operation; recovery counts on at most 30s (M6)")    \
	X(STR,    redis, redis_host, "127.0.0.1", 1, 255, "REDIS_HOST",            \
	  "host, or path of a UNIX socket")                                        \
	X(UINT,   redis, redis_port, "6379", 1, 65535, "REDIS_PORT",               \
	  "")                                                                      \
	X(SECRET, redis, redis_password, "", 0, 1024, "REDIS_PASSWORD",            \
	  "")                                                                      \
	X(UINT,   redis, redis_db, "0", 0, 1000, "",                               \
	  "")                                                                      \
	X(MSEC,   redis, redis_timeout, "2s", 100, 600000, "",                     \
	  "deadline of a command")                                                 \
	X(MSEC,   redis, lease, "15s", 300, 3600000, "",                           \
	  "a worker that does not renew its lease is gone; renewed at a third")    \
	X(SECRET, push, push_queue_url, "", 0, 4096, "",                           \
	  "redis://[:password@]host[:port][/db]; empty: the redis above")          \
	X(UINT,   push, push_queue_limit, "1000000", 1, 1000000000, "",            \
	  "events in the queue at which adding stops; messages stay owing")        \
	X(MSEC,   push, push_ttl, "4h", 1000, 2419200000, "",                      \
	  "a notification older than this is not worth showing")                   \
	X(MSEC,   push, push_requeue, "15m", 100, 86400000, "",                    \
	  "a queued event that nobody acknowledged is queued again after this")    \
	X(BOOL,   emitter, redis_emitter, "off", 0, 1, "",                         \
	  "relay what @socket.io/redis-emitter publishes to room user:<id>")       \
	X(STR,    emitter, redis_emitter_key, "socket.io", 1, 128, "",             \
	  "the emitter's key option: prefix of its channels")

#endif
