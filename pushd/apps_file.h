/* The texts of an app's keys, and the file that has them (apps.h). */
#ifndef PW_PUSHD_APPS_FILE_H
#define PW_PUSHD_APPS_FILE_H

#include "pushd/apps.h"

#define APP_KEYS(X)        \
	X(fcm_credentials) \
	X(apns_key)        \
	X(apns_key_id)     \
	X(apns_team_id)    \
	X(apns_topic)      \
	X(apns_environment)

#define APP_KEY_ID(key) APP_##key,
enum app_key { APP_KEYS(APP_KEY_ID) APP__KEYS };
#undef APP_KEY_ID

extern const char *const app_key_names[APP__KEYS];

#define APP_NAME_MAX 255
#define APP_DEFAULT "default"

struct app_text {
	char *name;		/* of the section */
	int line;		/* where it begins */
	struct {
		char *text;	/* NULL: not given */
		int line;
	} keys[APP__KEYS];
};
struct app_texts {
	struct app_text *apps;
	size_t n;
};

/* Sections and keys that are known, each once, none empty; what the values mean
 * is not looked at. 0, or -errno / -EINVAL with "file: ..." or "file:line: ..."
 * in err. */
int apps_file_read(const char *path, struct app_texts *out,
		   char err[APPS_ERR_MAX]) MUST_CHECK;
void apps_file_clear(struct app_texts *t);

#endif
