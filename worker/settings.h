/* The worker's configuration as its modules take it: at the start, and again at
 * a reload. Texts are conf's, borrowed. Pure. */
#ifndef PW_SETTINGS_H
#define PW_SETTINGS_H

#include "worker/chat/chat.h"
#include "worker/engineio/session.h"
#include "worker/transport/listener.h"

struct auth_key;
struct conf;

struct eio_conf settings_eio(const struct conf *cf, uint32_t instance);
/* Without the hand-over. */
struct listener_conf settings_listener(const struct conf *cf,
				       uint32_t instance);
/* src: the worker's name. */
struct chat_conf settings_chat(const struct conf *cf, const char *src);
/* What tokens are checked by. The master has judged it: -EINVAL, logged, only if
 * this host's OpenSSL thinks otherwise by now. */
int settings_key(const struct conf *cf, struct auth_key **out) MUST_CHECK;

#endif
