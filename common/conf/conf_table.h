/* Every configuration key, in one table:
 *   X(type, when, section, key, default as text, min, max, environment
 *     variables, help)
 * The field of struct conf has the key's name (durations: milliseconds).
 * when a changed value counts: LIVE at a reload; WORKER in workers started from
 * then on (drain, restart or upgrade them); RESTART when the service is
 * restarted; PUSHD is pushd's, which says itself what it takes at a reload.
 * Environment: PAIRWIRE_<KEY> always works; names listed here (separated by
 * spaces; the reference design's) work as well. Environment beats file. */
#ifndef PW_CONF_TABLE_H
#define PW_CONF_TABLE_H

#define CONF_TABLE(X)                                                               \
	X(STR, RESTART, server, listen, "0.0.0.0", 1, 255, "",                      \
	  "address to listen on")                                                   \
	X(UINT, RESTART, server, port, "3001", 0, 65535, "WS_PORT",                 \
	  "port to listen on; 0 takes a free one")                                  \
	X(UINT, RESTART, server, workers, "0", 0, 512, "",                          \
	  "worker processes; 0: one per core")                                      \
	X(STR, RESTART, server, node, "", 0, 64, "",                                \
	  "this host's name in the cluster; empty: the host name")                  \
	X(STR, RESTART, server, run_dir, "/run/pairwire", 1, 80, "",                \
	  "sockets of this master live here")                                       \
	X(STR, RESTART, server, control_socket, "", 0, 100, "",                     \
	  "control socket; empty: control.sock in run_dir")                         \
	X(MSEC, LIVE, server, stop_timeout, "10s", 100, 3600000, "",                \
	  "workers still running this long after a stop are killed")                \
	X(MSEC, LIVE, server, drain_timeout, "30m", 0, 86400000, "",                \
	  "a draining worker's clients may stay this long")                         \
	X(MSEC, LIVE, server, drain_spread, "1m", 0, 3600000, "",                   \
	  "those still there then are closed over this time, not all at once")      \
	X(MSEC, LIVE, server, stuck_timeout, "5s", 100, 3600000, "",                \
	  "a worker whose loop stood still this long is killed and replaced")       \
	X(STR, RESTART, server, admin_listen, "127.0.0.1:3002", 0, 255, "",         \
	  "metrics and health over HTTP; port 0 takes a free one; empty: off")      \
	X(STR, LIVE, log, log_level, "info", 1, 16, "",                             \
	  "error, warning, info or debug")                                          \
	X(MSEC, LIVE, log, status_interval, "30s", 0, 86400000, "",                 \
	  "one line about connections and users this often; 0s: none")              \
	X(MSEC, WORKER, engine, ping_interval, "25s", 100, 3600000, "",             \
	  "from a pong to the next ping")                                           \
	X(MSEC, WORKER, engine, ping_timeout, "60s", 100, 3600000, "",              \
	  "a pong may take this long")                                              \
	X(MSEC, LIVE, engine, connect_timeout, "45s", 100, 3600000, "",             \
	  "a session without a Socket.IO connect ends")                             \
	X(MSEC, LIVE, engine, head_timeout, "10s", 100, 3600000, "",                \
	  "a request head may take this long")                                      \
	X(MSEC, LIVE, engine, body_timeout, "30s", 100, 3600000, "",                \
	  "a request body, and the reading of an answer, may take this long")       \
	X(MSEC, LIVE, engine, keepalive_timeout, "75s", 100, 3600000, "",           \
	  "an HTTP connection may idle this long between requests")                 \
	X(MSEC, LIVE, engine, upgrade_timeout, "10s", 100, 3600000, "",             \
	  "a switch from polling to WebSocket may take this long")                  \
	X(SIZE, WORKER, engine, max_payload, "1000000", 1024, 104857600, "",        \
	  "largest message of a client, in bytes")                                  \
	X(SIZE, LIVE, engine, outbox_limit, "1M", 16384, 1073741824, "",            \
	  "bytes waiting for a client that does not read, before it is closed")     \
	X(BOOL, WORKER, engine, permessage_deflate, "off", 0, 1, "",                \
	  "compress WebSocket messages of 1 KiB and more")                          \
	X(STR, LIVE, http, allowed_origins, "", 0, 4096, "ALLOWED_ORIGINS",         \
	  "web pages that may connect, separated by commas; *: all")                \
	X(BOOL, LIVE, http, cors_credentials, "on", 0, 1, "",                       \
	  "listed origins may send cookies")                                        \
	X(STR, LIVE, http, trusted_proxies, "127.0.0.1, ::1", 0, 4096, "",          \
	  "their X-Forwarded-For is believed: addresses or CIDR blocks")            \
	X(STR, LIVE, http, proxy_protocol_from, "", 0, 4096, "",                    \
	  "these must begin with a PROXY protocol header (v1 or v2)")               \
	X(UINT, LIVE, limits, connect_rate, "50", 0, 1000000, "",                   \
	  "new sessions per second and address, each worker; 0: no limit")          \
	X(UINT, LIVE, limits, connect_burst, "500", 1, 1000000, "",                 \
	  "new sessions of an address at once")                                     \
	X(UINT, LIVE, limits, user_connections, "20", 0, 1000000, "",               \
	  "connections of one user to a worker; 0: no limit")                       \
	X(UINT, LIVE, limits, message_rate, "20", 0, 1000000, "",                   \
	  "message:send per second and user, each worker; 0: no limit")             \
	X(UINT, LIVE, limits, message_burst, "100", 1, 1000000, "",                 \
	  "message:send of a user at once")                                         \
	X(SECRET, LIVE, auth, jwt_secret, "", 0, 4096, "JWT_SECRET",                \
	  "HS256 secret of the users' tokens")                                      \
	X(STR, LIVE, auth, jwt_public_key_file, "", 0, 1024, "JWT_PUBLIC_KEY_FILE", \
	  "instead: file with their public key, RSA (RS256) or P-256 (ES256)")      \
	X(SECRET, LIVE, auth, jwt_public_key, "", 0, 16384, "",                     \
	  "instead: that key itself, PEM; \\n may stand for line breaks")           \
	X(MSEC, LIVE, auth, jwt_leeway, "30s", 0, 3600000, "",                      \
	  "clock difference allowed in exp and nbf")                                \
	X(SIZE, LIVE, chat, content_max, "4096", 1, 1048576, "",                    \
	  "longest message content, in bytes")                                      \
	X(MSEC, LIVE, chat, delivery_timeout, "10s", 100, 3600000, "",              \
	  "not confirmed within this: a push falls due")                            \
	X(MSEC, LIVE, chat, offline_grace, "5s", 100, 3600000, "",                  \
	  "a user who left and is not back within this is offline")                 \
	X(MSEC, LIVE, chat, recovery_window, "24h", 100, 2592000000, "",            \
	  "a client away for longer starts afresh")                                 \
	X(UINT, LIVE, chat, recovery_events, "5000", 1, 1000000, "",                \
	  "a client that missed more than this starts afresh")                      \
	X(SECRET, WORKER, directory, database_url, "", 0, 4096, "DATABASE_URL",     \
	  "PostgreSQL with users and matches")                                      \
	X(MSEC, WORKER, directory, database_timeout, "5s", 100, 3600000, "",        \
	  "deadline of a directory query")                                          \
	X(MSEC, WORKER, directory, directory_stale_max, "10m", 100, 86400000, "",   \
	  "cached matches serve this long while PostgreSQL is down")                \
	X(UINT, WORKER, directory, directory_cache, "100000", 100, 100000000, "",   \
	  "matches and names cached per worker")                                    \
	X(SECRET, WORKER, store, store_url, "", 0, 4096, "MONGODB_URI",             \
	  "mongodb:// or postgresql://; empty: the directory's database")           \
	X(UINT, WORKER, store, store_lanes, "2", 1, 64, "",                         \
	  "concurrent batches per worker")                                          \
	X(MSEC, WORKER, store, store_timeout, "30s", 100, 30000, "",                \
	  "deadline of a store operation; recovery counts on at most 30s (M6)")     \
	X(STR, WORKER, redis, redis_host, "127.0.0.1", 1, 255, "REDIS_HOST",        \
	  "host, or path of a UNIX socket")                                         \
	X(UINT, WORKER, redis, redis_port, "6379", 1, 65535, "REDIS_PORT",          \
	  "")                                                                       \
	X(SECRET, WORKER, redis, redis_password, "", 0, 1024, "REDIS_PASSWORD",     \
	  "")                                                                       \
	X(UINT, WORKER, redis, redis_db, "0", 0, 1000, "",                          \
	  "")                                                                       \
	X(MSEC, WORKER, redis, redis_timeout, "2s", 100, 600000, "",                \
	  "deadline of a command")                                                  \
	X(MSEC, WORKER, redis, lease, "15s", 300, 3600000, "",                      \
	  "a worker that does not renew its lease is gone; renewed at a third")     \
	X(SECRET, WORKER, push, push_queue_url, "", 0, 4096, "KAFKA_BROKERS",       \
	  "kafka://host:port,... or redis://host:port; empty: the redis above")     \
	X(UINT, WORKER, push, push_queue_limit, "1000000", 1, 1000000000, "",       \
	  "events in the queue at which adding stops; messages stay owing")         \
	X(MSEC, LIVE, push, push_ttl, "4h", 1000, 2419200000, "",                   \
	  "a notification older than this is not worth showing")                    \
	X(MSEC, LIVE, push, push_requeue, "15m", 100, 86400000, "",                 \
	  "a queued event that nobody acknowledged is queued again after this")     \
	X(BOOL, LIVE, push, push_take_back, "off", 0, 1, "",                        \
	  "what is read on one device leaves the notifications of the others")      \
	X(STR, PUSHD, pushd, pushd_listen, "127.0.0.1:3003", 0, 255, "",            \
	  "pushd's metrics and health over HTTP; port 0: a free one; empty: off")   \
	X(STR, PUSHD, pushd, pushd_name, "", 0, 64, "",                             \
	  "this pushd's name in its group, unique and lasting; empty: the node")    \
	X(STR, PUSHD, pushd, push_group, "pushd", 1, 64, "",                        \
	  "consumer group")                                                         \
	X(MSEC, PUSHD, pushd, pushd_lease, "30s", 100, 1800000, "",                 \
	  "a pushd of the group that is silent this long is dead")                  \
	X(UINT, PUSHD, pushd, push_in_flight, "1000", 10, 100000, "",               \
	  "events taken from the queue and not settled, at most")                   \
	X(STR, PUSHD, pushd, push_templates, "", 0, 1024, "",                       \
	  "file with the notifications' texts; empty: built-in ones")               \
	X(STR, PUSHD, pushd, push_apps, "", 0, 1024, "",                            \
	  "file with the credentials of several apps; empty: the one below")        \
	X(STR, PUSHD, pushd, fcm_credentials, "", 0, 1024, "",                      \
	  "Firebase service account, a JSON file")                                  \
	X(STR, PUSHD, pushd, firebase_project_id, "", 0, 256, "FIREBASE_PROJECT_ID", \
	  "the same in three values: project")                                      \
	X(STR, PUSHD, pushd, firebase_client_email, "", 0, 320,                     \
	  "FIREBASE_CLIENT_EMAIL", "account")                                       \
	X(SECRET, PUSHD, pushd, firebase_private_key, "", 0, 16384,                 \
	  "FIREBASE_PRIVATE_KEY", "key, PEM; \\n may stand for line breaks")        \
	X(STR, PUSHD, pushd, fcm_url, "https://fcm.googleapis.com", 1, 512, "",     \
	  "FCM's end-point")                                                        \
	X(STR, PUSHD, pushd, google_token_url, "https://oauth2.googleapis.com/token", \
	  1, 512, "", "where the three values get tokens")                          \
	X(STR, PUSHD, pushd, apns_key, "", 0, 1024, "",                             \
	  "APNs signing key, a .p8 file")                                           \
	X(STR, PUSHD, pushd, apns_key_id, "", 0, 32, "",                            \
	  "its id")                                                                 \
	X(STR, PUSHD, pushd, apns_team_id, "", 0, 32, "",                           \
	  "the team's id")                                                          \
	X(STR, PUSHD, pushd, apns_topic, "", 0, 255, "",                            \
	  "the app's bundle id")                                                    \
	X(STR, PUSHD, pushd, apns_environment, "production", 1, 16, "",             \
	  "production or sandbox, of devices that do not say")                      \
	X(STR, PUSHD, pushd, apns_url, "https://api.push.apple.com", 1, 512, "",    \
	  "APNs' end-point")                                                        \
	X(STR, PUSHD, pushd, apns_sandbox_url, "https://api.sandbox.push.apple.com", \
	  1, 512, "", "that of development")                                        \
	X(STR, PUSHD, pushd, push_ca_file, "", 0, 1024, "",                         \
	  "certificates the end-points are checked by; empty: the system's")        \
	X(UINT, PUSHD, pushd, push_connections, "2", 1, 64, "",                     \
	  "connections to an end-point, at most, of each app")                      \
	X(MSEC, PUSHD, pushd, push_timeout, "15s", 100, 600000, "",                 \
	  "a provider's answer may take this long")                                 \
	X(BOOL, PUSHD, pushd, skip_if_delivered, "on", 0, 1, "",                    \
	  "a message confirmed or read meanwhile is not notified")                  \
	X(UINT, PUSHD, pushd, push_guard, "30", 1, 100, "",                         \
	  "percent of dead tokens above which none is deleted; 100: no guard")      \
	X(MSEC, PUSHD, pushd, push_guard_hold, "1m", 0, 86400000, "",               \
	  "a dead token is deleted after this, the guard still willing")            \
	X(BOOL, WORKER, emitter, redis_emitter, "off", 0, 1, "",                    \
	  "relay what @socket.io/redis-emitter publishes to room user:<id>")        \
	X(STR, WORKER, emitter, redis_emitter_key, "socket.io", 1, 128, "",         \
	  "the emitter's key option: prefix of its channels")

#endif
