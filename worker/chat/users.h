/* The users with a connection to this worker, and their devices: one device
 * per authenticated socket. */
#ifndef PW_USERS_H
#define PW_USERS_H

#include "common/base/list.h"
#include "common/base/map.h"
#include "worker/chat/pendings.h"

struct chat;
struct sio_socket;

struct user {
	struct map_node node;
	struct list devices;
	uint64_t generation;	/* differs from that of the same user's earlier
				 * stay on this worker */
	struct device *named;	/* whose socket id stands in Redis */
	unsigned ndevices;
	bool registered;	/* the route is in Redis, or Redis is down */
	bool unread_lost;	/* his unread counters are to be made anew */
	char id[];
};

/* Reference counted: work in flight may outlive the socket. A worker holds one
 * of these and of the above for each idle connection: their size counts. */
struct device {
	struct list node;	/* in user->devices; on its own when gone */
	struct chat *chat;
	struct user *user;	/* NULL once the socket is gone */
	struct sio_socket *socket;	/* NULL once it is gone */
	struct pendings *pendings;	/* NULL: all is confirmed */
	struct seen *seen;		/* NULL: sent nothing lately (seen.h) */
	struct catch_up *catch_up;	/* NULL: it has all (catch_up.h) */
	int64_t expires_mono_ms;	/* 0: the token has no end */
	uint64_t since_ms : 48;	/* cluster time. To the ms: what was delivered
				 * before is not for it */
	uint16_t events;	/* asked for and not yet answered */
	uint32_t event_bytes;	/* what unanswered events hold in memory */
	uint32_t refs : 30;
	bool accepted : 1;	/* CONNECT answered: part of every fan-out */
	bool explicit_mode : 1;	/* it sends message:received: pongs confirm
				 * nothing any more (M2) */
};

struct users {
	struct map map;
	uint64_t generations;	/* given out so far */
};

void users_init(struct users *us);
void users_free(struct users *us);	/* must be empty */
struct user *users_find(const struct users *us, struct slice id);
size_t users_count(const struct users *us);
/* Finds or makes the user and adds a device for the socket. */
struct device *device_new(struct chat *c, struct users *us, const char *user_id,
			  struct sio_socket *k);
struct device *device_ref(struct device *d);
void device_unref(struct device *d);
/* The socket is gone. True when it was the user's last one here; *id_out (of
 * PW_ID_MAX + 1 bytes) is then his id, the user freed. */
bool device_gone(struct users *us, struct device *d, char *id_out);

/* An event of the device begins to wait for a backend, holding about `bytes`.
 * False: as many wait already as one client may have; refuse it. */
bool device_event_begin(struct device *d, size_t bytes);
void device_event_end(struct device *d, size_t bytes);

#endif
