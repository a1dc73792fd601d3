/* One app's senders, out of the texts of its keys. For apps.c. */
#ifndef PW_PUSHD_APPS_SENDERS_H
#define PW_PUSHD_APPS_SENDERS_H

#include "pushd/apps_file.h"

enum app_slot_id { SLOT_FCM, SLOT_APNS, SLOT_APNS_SANDBOX, SLOT__COUNT };

struct app_slot {
	/* A keyed hash of everything the sender was made of, files' contents
	 * included: tells whether it is the same, and keeps no secret. */
	uint64_t print;
	struct sender *s;	/* NULL: no credentials */
	bool adopted;
};

struct app {
	char *name;		/* "": the default */
	bool sandbox;		/* of devices that do not say */
	struct app_slot slots[SLOT__COUNT];
};

struct app_maker {
	struct loop *loop;
	const struct conf *conf;
	const char *path;	/* of the file with the sections */
	/* A sender of this print that exists already, or NULL. */
	struct sender *(*adopt)(void *arg, uint64_t print);
	void *arg;
	char *err;		/* APPS_ERR_MAX bytes */
};

/* From a section. 0, or -EINVAL / -errno with "file:line: ..." in err. */
int app_from_text(const struct app_maker *m, const struct app_text *t,
		  struct app *out) MUST_CHECK;
/* From pairwire.conf's own keys: perhaps without a sender. "key: ..." in err. */
int app_from_conf(const struct app_maker *m, struct app *out) MUST_CHECK;
bool app_has_sender(const struct app *a);
/* Frees the senders but adopted ones. */
void app_clear(struct app *a);

#endif
