/* The admin listener of a service: how monitoring sees it, by HTTP. GET and
 * HEAD of a table's paths. Nobody is asked who he is: it listens on loopback
 * unless told otherwise. */
#ifndef PW_ADMIN_H
#define PW_ADMIN_H

#include "common/service/admin_http.h"

#define ADMIN_ERR_MAX 320

struct admin;

/* out: status 200 and text/plain, to be changed where it is something else. */
struct admin_page {
	const char *path;
	void (*fn)(void *arg, struct admin_answer *out);
};

/* Binds HOST:PORT (conf_host_port()); port 0: a free one. 0, or -errno with one
 * line in err that begins with the key's name. */
int admin_new(const char *key, const char *address, struct admin **out,
	      char err[ADMIN_ERR_MAX]) MUST_CHECK;
/* Of an earlier process' admin_fd(), which it takes; -errno: the caller's. */
int admin_take(int fd, struct admin **out, char err[ADMIN_ERR_MAX]) MUST_CHECK;
int admin_fd(const struct admin *a);	/* borrowed; -1 for NULL */
/* Answers from now on. All borrowed. */
void admin_start(struct admin *a, struct loop *l, const struct admin_page *pages,
		 size_t n, void *arg);
/* NULLs *a. */
void admin_free(struct admin **a);

/* "127.0.0.1:3002"; NULL for NULL. */
const char *admin_name(const struct admin *a);

#endif
