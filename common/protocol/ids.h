/* Session ids: 20 characters of [A-Za-z0-9_-], 4 for the worker instance that
 * owns the session and 16 random (96 bits). Engine.IO and Socket.IO ids are
 * made the same way and are different. (socketio.md 2) */
#ifndef PW_IDS_H
#define PW_IDS_H

#include "common/base/base.h"

#define SESSION_ID_LEN 20
#define INSTANCE_MAX 0xffffffu	/* 24 bits */

void session_id_make(uint32_t instance, char out[SESSION_ID_LEN + 1]);
/* 0, or -EINVAL when it is not such an id. */
int session_id_instance(struct slice sid, uint32_t *instance_out) MUST_CHECK;

#endif
