/* Does the app's database have what Pairwire reads and writes there? */
#ifndef PW_DIRECTORY_INSPECT_H
#define PW_DIRECTORY_INSPECT_H

#include "worker/directory.h"

struct pg;

/* The newest of common/schema/. */
#define DIRECTORY_SCHEMA 1

/* As directory_look(). */
void inspect(struct pg *pg, directory_look_cb *cb, void *arg);

#endif
