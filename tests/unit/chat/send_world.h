/* message:send with everything around it faked: a chat in which anna is on the
 * sockets 1 and 2, what it asked of whom, and the answers when a test says so.
 * Suite "send" sets it up and takes it down. */
#ifndef PW_SEND_WORLD_H
#define PW_SEND_WORLD_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "common/store/message_store.h"
#include "worker/chat/catch_up_impl.h"
#include "worker/directory.h"

#define SAW_MAX 64

/* What the fakes saw. */
struct saw {
	char frames[SAW_MAX][400];		/* sio_send and sio_ack, in order */
	int nframes;
	struct message *inserts[SAW_MAX];
	struct {
		store_insert_cb *cb;
		void *arg;
	} insert_cb[SAW_MAX];
	int ninserts;
	struct {
		store_last_cb *cb;
		void *arg;
	} last;
	int nlast;
	struct {
		directory_match_cb *cb;
		void *arg;
	} match;
	bool match_async;
	int match_err;
	struct {
		enum envelope_kind kind;
		char user[32];
		enum router_extra extra;
		router_cb *cb;
		void *arg;
	} routes[SAW_MAX];
	int nroutes;
	int ngets;
	int64_t seen_message_at;
};
extern struct saw saw;

extern const struct match the_match;	/* "m1" of anna and ben */
extern struct chat c;
extern struct device *anna1, *anna2, *ben;	/* ben: NULL until a test has one */

/* A device that is accepted and registered. */
struct device *device(const char *user, int socket);
/* As connect_gone() */
void gone(struct device *d);

/* From anna1. temp_id: may be NULL; ack: SIO_NO_ACK for none. */
void send_text(const char *match, const char *content, const char *temp_id,
	       int64_t ack);

/* The i-th insert or route, and the last query for what was sent last. */
void answer_last(int err, int64_t at);
void answer_insert(int i, enum store_result r, const struct message *first);
void answer_route(int i, int err, unsigned receivers, bool leaving);

/* Whether the i-th frame begins with prefix and contains part. */
bool frame_has(int i, const char *prefix, const char *part);

#endif
