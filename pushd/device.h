/* A device that takes notifications: a row of devices (design 3.3). */
#ifndef PW_PUSHD_DEVICE_H
#define PW_PUSHD_DEVICE_H

#include "common/base/base.h"

enum provider { PROVIDER_FCM, PROVIDER_APNS, PROVIDER__COUNT };

#define TOKEN_MAX 4096

struct device {
	const char *id;
	const char *token;
	enum provider provider;
	const char *platform;	/* "ios", "android", "web", or the app's own */
	const char *app;	/* "": the default app */
	const char *environment;	/* "production", "sandbox", "" */
	const char *locale;	/* "de-AT", "pt_BR", "" */
	int64_t updated_at_ms;	/* 0: not known */
};

#endif
