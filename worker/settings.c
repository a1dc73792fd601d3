#include "worker/settings.h"

#include <errno.h>

#include "common/backend/backoff.h"
#include "common/base/log.h"
#include "common/conf/conf.h"
#include "common/protocol/auth_key.h"

#define OPENING_MS 15000

struct eio_conf settings_eio(const struct conf *cf, uint32_t instance)
{
	return (struct eio_conf){
		.instance = instance,
		.ping_interval_ms = (unsigned)cf->ping_interval,
		.ping_timeout_ms = (unsigned)cf->ping_timeout,
		.connect_timeout_ms = (unsigned)cf->connect_timeout,
		.upgrade_timeout_ms = (unsigned)cf->upgrade_timeout,
		.max_payload = cf->max_payload,
		.outbox_limit = cf->outbox_limit,
	};
}

struct listener_conf settings_listener(const struct conf *cf, uint32_t instance)
{
	return (struct listener_conf){
		.head_timeout_ms = (unsigned)cf->head_timeout,
		.body_timeout_ms = (unsigned)cf->body_timeout,
		.keepalive_timeout_ms = (unsigned)cf->keepalive_timeout,
		.max_payload = cf->max_payload,
		.allowed_origins = cf->allowed_origins,
		.cors_credentials = cf->cors_credentials,
		.trusted_proxies = cf->trusted_proxies,
		.proxy_protocol_from = cf->proxy_protocol_from,
		.connect_rate = rate_conf(cf->connect_rate, cf->connect_burst),
		.instance = instance,
	};
}

/* Redis is there again: the others reconnect after a pause of backoff and a try
 * that hangs. Those whom it still knew have a lease for it. */
static int64_t rejoin_ms(const struct conf *cf)
{
	int64_t ms = BACKOFF_MAX_MS + cf->redis_timeout;

	return ms > cf->lease ? ms : cf->lease;
}

/* CONNECT must be answered in connect_timeout; the rest of it is for what comes
 * before. */
static int64_t opening_ms(const struct conf *cf)
{
	int64_t third = cf->connect_timeout / 3;

	return third < OPENING_MS ? third : OPENING_MS;
}

struct chat_conf settings_chat(const struct conf *cf, const char *src)
{
	return (struct chat_conf){
		.src = src,
		.content_max = cf->content_max,
		.user_connections = (unsigned)cf->user_connections,
		.message_rate = rate_conf(cf->message_rate,
					  cf->message_burst),
		.delivery_timeout_ms = cf->delivery_timeout,
		.recovery_window_ms = cf->recovery_window,
		.recovery_events = cf->recovery_events,
		.opening_ms = opening_ms(cf),
		.catch_up_bytes = cf->outbox_limit / 4,
		.push_ttl_ms = cf->push_ttl,
		.push_requeue_ms = cf->push_requeue,
		.push_take_back = cf->push_take_back,
		.jwt_leeway_ms = cf->jwt_leeway,
		.lease_ms = cf->lease,
		.rejoin_ms = rejoin_ms(cf),
	};
}

int settings_key(const struct conf *cf, struct auth_key **out)
{
	char why[AUTH_KEY_WHY_MAX] = "is empty, like jwt_secret";

	if (*cf->jwt_secret != '\0') {
		*out = auth_key_hs256(cf->jwt_secret);
		return 0;
	}
	if (*cf->jwt_public_key != '\0' &&
	    auth_key_public(cf->jwt_public_key, out, why) == 0)
		return 0;
	log_err("jwt_public_key %s", why);
	return -EINVAL;
}
