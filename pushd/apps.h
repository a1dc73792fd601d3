/* The apps and their senders: which one serves a device.
 *
 * pairwire.conf describes one app; the file push_apps any number, an INI file
 * with a section for each value of devices.app:
 *
 *   [com.example.app]
 *   fcm_credentials = /etc/pairwire/fcm.json
 *   apns_key = /etc/pairwire/AuthKey_ABC1234567.p8
 *   apns_key_id = ABC1234567
 *   apns_team_id = TEAM123456
 *   apns_topic = com.example.app
 *   apns_environment = production
 *
 * A section has fcm_credentials, or apns_key with all but apns_environment, or
 * both. Values are plain text, comments have lines of their own.
 *
 * The app of pairwire.conf, or the section [default], serves devices whose app
 * is empty or has no section. An app without credentials of a provider has no
 * sender for it. A device's environment is "sandbox", "development" or
 * "production"; apns_environment serves those that name none. */
#ifndef PW_PUSHD_APPS_H
#define PW_PUSHD_APPS_H

#include "pushd/sender.h"

struct apps;
struct conf;

#define APPS_ERR_MAX 320

/* Reads all files. dry: senders that only tell. 0, or -errno / -EINVAL with
 * "file:line: ..." or "key: ..." in err; nothing of a key is in it. No
 * credentials at all is an error unless dry. */
int apps_new(struct loop *l, const struct conf *conf, bool dry,
	     struct apps **out, char err[APPS_ERR_MAX]) MUST_CHECK;
/* Reads all again. What is not changed keeps its connections and tokens; what
 * is gone ends when what it has in flight is answered. On error everything stays
 * as it is. */
int apps_reload(struct apps *a, const struct conf *conf, char err[APPS_ERR_MAX])
	MUST_CHECK;
/* NULL: none for this app and provider. Valid until the next apps_reload(): to
 * be asked for with each try. */
struct sender *apps_sender(struct apps *a, const struct device *d);
/* Calls fn for each that apps_sender() may return. */
void apps_each(struct apps *a, void (*fn)(void *arg, struct sender *s), void *arg);
/* Is there an app of whose senders fn is true for none? False without apps. */
bool apps_one_without(const struct apps *a,
		      bool (*fn)(void *arg, const struct sender *s), void *arg);
/* sender_free() for each: not from within one's callback. NULLs *a. */
void apps_free(struct apps **a);

#endif
