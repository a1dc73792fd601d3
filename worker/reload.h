/* A new configuration for a worker that runs (ipc_messages.h: RELOAD). */
#ifndef PW_RELOAD_H
#define PW_RELOAD_H

#include "common/base/base.h"

struct chat;
struct conf;
struct eio_sessions;
struct listener;
struct sio_server;

/* All borrowed. */
struct reload_parts {
	struct conf *conf;	/* the worker's own */
	struct eio_sessions *sessions;
	struct listener *listener;
	struct chat *chat;
	struct sio_server *sio;
};

/* Reads the configuration in fd (conf_read_fd), which stays open. Its LIVE keys
 * become the worker's, in conf and in the modules that hold them; no client is
 * disconnected for it, and those that are there are treated by the new ones. All
 * other keys stay as they were. Log levels set apart end. What cannot be read
 * changes nothing, and is logged as an error. NULL, or why nothing has changed, in
 * a line that stays. */
const char *reload(const struct reload_parts *p, int fd);

#endif
