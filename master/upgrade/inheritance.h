/* What a master leaves to the one it becomes by exec (upgrade.h): one JSON
 * object with "v": 1 in a sealed memfd, whose number is in PAIRWIRE_STATE_FD.
 * Masters of different versions read each other's, so members may be added but
 * not change: unknown ones are ignored, a missing or wrong one is an error.
 *
 * Descriptors go over by number. Whatever member's name is "fd" or ends in
 * "_fd" is one, or null; all others are closed by exec. */
#ifndef PW_INHERITANCE_H
#define PW_INHERITANCE_H

#include <jansson.h>

#include "common/base/base.h"

#define INHERITANCE_ENV "PAIRWIRE_STATE_FD"
#define INHERITANCE_ERR_MAX 256

/* The parts' own JSON is theirs to make and to read; each is a reference of
 * this object. Descriptors are borrowed when saving, the reader's when read. */
struct inheritance {
	char *program;		/* path and version of who saved it */
	char *version;
	json_t *conf;		/* {key: text}: those that count at a restart */
	json_t *listeners;	/* [{"name", "fd"}] by slot */
	int lock_fd;
	int control_fd;
	int admin_fd;		/* -1: off */
	json_t *supervisor;
	json_t *status;
	json_t *explain;
	json_t *upgrade;	/* {"started"}: ms since the epoch */
	json_t *root;		/* all of it, as read; NULL when saving */
};

void inheritance_free(struct inheritance **h);

/* A new sealed memfd, close-on-exec; or -errno. */
int inheritance_write(const struct inheritance *h, int *fd_out) MUST_CHECK;
/* From its start. 0, or -errno with one line in err. */
int inheritance_read(int fd, struct inheritance **out,
		     char err[INHERITANCE_ERR_MAX]) MUST_CHECK;
/* Lets what is named in it go over exec, or not any more. */
void inheritance_pass(const struct inheritance *h, bool pass);

/* main()'s first look: the descriptor that was left to us, close-on-exec from
 * now on, or -1. Nobody that we start sees the variable. */
int inheritance_take_fd(void);

#endif
