/* Reading a JSON object member by member, with one look for an error at the
 * end. Members that nobody asks for are ignored. */
#ifndef PW_MEMBERS_H
#define PW_MEMBERS_H

#include <jansson.h>

#include "common/base/base.h"

#define MEMBERS_ERR_MAX 160

/* err: MEMBERS_ERR_MAX bytes, "" at first; keeps the first error, which names
 * the member: "workers[1].pid: missing". Borrowed, as is where. */
struct members {
	const json_t *object;
	const char *where;	/* "": the outermost object */
	char *err;
};

/* Of something wrong with a member: what. */
void members_wrong(const struct members *m, const char *name, const char *what);

/* Each of them of the first error on: min, "", false, NULL. */
int64_t members_int(const struct members *m, const char *name, int64_t min,
		    int64_t max);
const char *members_text(const struct members *m, const char *name);
bool members_bool(const struct members *m, const char *name);
const json_t *members_object(const struct members *m, const char *name);
const json_t *members_array(const struct members *m, const char *name);
/* A descriptor's number; -1 where it is null. */
int members_fd(const struct members *m, const char *name);

#endif
