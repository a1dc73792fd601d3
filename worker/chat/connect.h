/* Devices coming and going: authentication, registration. */
#ifndef PW_CONNECT_H
#define PW_CONNECT_H

#include "worker/chat/chat.h"

/* Socket.IO callbacks; arg is the chat. */
void connect_socket(void *arg, struct sio_socket *k,
		    const struct sio_connect *from);
void connect_gone(void *up, struct sio_socket *k, enum close_reason why);
/* The user's route is known to be in Redis: his devices are accepted. Harmless
 * when he is not here or accepted already. */
void connect_registered(struct chat *c, struct slice user_id);
/* Answers CONNECT. sid: the socket's former id, which it comes back with; NULL:
 * it begins anew. */
void connect_accept(struct device *d, const char *sid);
/* Ends all of a user's connections here, in a way that stock clients do not come
 * back by themselves. How many there are. */
unsigned connect_close_user(struct chat *c, struct slice user_id);

#endif
