/* Ids of messages that are made of numbers, and in their order. */
#ifndef PW_ID_OF_H
#define PW_ID_OF_H

#include <stdio.h>

#include "common/store/message.h"

/* Valid until the next call. */
static inline const char *id_of(unsigned i)
{
	static char id[MESSAGE_ID_LEN + 1];

	snprintf(id, sizeof(id), "%08x%016x", i, i);
	return id;
}

#endif
