/* The library makes room for as many objects as an array says it has, before it
 * looks for them: five bytes reserve 128 GiB. So they are counted first. Pure. */
#ifndef PW_MSGPACK_CLAIMS_H
#define PW_MSGPACK_CLAIMS_H

#include "common/base/base.h"

/* One whole MessagePack object may begin the bytes: whatever its arrays, maps
 * and texts claim to hold, at least that many bytes follow. */
bool msgpack_claims_fit(struct slice in);

#endif
