/* What pushd needs of the configuration, and how its keys go together. All is
 * given in the environment. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf/conf.h"

static void set_what_must_be(void)
{
	setenv("PAIRWIRE_DATABASE_URL", "postgresql://h/d", 1);
	unsetenv("JWT_SECRET");
}
TestSuite(conf_pushd, .init = set_what_must_be);

/* "NAME=VALUE NAME=VALUE": PAIRWIRE_ is put before each. */
static void set_all(const char *pairs)
{
	char *copy = strdup(pairs), *save = NULL;

	for (char *p = strtok_r(copy, " ", &save); p != NULL;
	     p = strtok_r(NULL, " ", &save)) {
		char name[64];
		size_t n = strcspn(p, "=");

		snprintf(name, sizeof(name), "PAIRWIRE_%.*s", (int)n, p);
		setenv(name, p + n + 1, 1);
	}
	free(copy);
}

Test(conf_pushd, needs_no_jwt_secret_and_has_a_name)
{
	char err[CONF_ERR_MAX] = "";
	struct conf *c = NULL;

	setenv("PAIRWIRE_NODE", "host-1", 1);
	cr_assert_eq(conf_load(NULL, CONF_FOR_SERVER, &c, err), -EINVAL);
	cr_assert_eq(conf_load(NULL, CONF_FOR_PUSHD, &c, err), 0, "%s", err);
	cr_assert_str_eq(c->pushd_name, "host-1");
	cr_assert_str_eq(c->pushd_listen, "127.0.0.1:3003");
	conf_free(&c);
	setenv("PAIRWIRE_PUSHD_NAME", "push-2", 1);
	cr_assert_eq(conf_load(NULL, CONF_FOR_PUSHD, &c, err), 0, "%s", err);
	cr_assert_str_eq(c->pushd_name, "push-2");
	conf_free(&c);
}

Test(conf_pushd, bad_values_are_named)
{
	static const struct {
		const char *env, *err;	/* NULL: good */
	} cases[] = {
		{ "PUSHD_LISTEN=", NULL },
		{ "PUSHD_LISTEN=[::1]:0", NULL },
		{ "PUSHD_LISTEN=3003", "PAIRWIRE_PUSHD_LISTEN: pushd_listen: must "
		  "be HOST:PORT, [IPv6]:PORT, or empty" },
		{ "PUSHD_NAME=a/b", "PAIRWIRE_PUSHD_NAME: pushd_name: only letters, "
		  "digits and . _ - are allowed" },
		{ "FCM_URL=https://localhost:8443", NULL },
		{ "FCM_URL=http://h", "PAIRWIRE_FCM_URL: fcm_url: must begin with "
		  "https://" },
		{ "FCM_URL=https://h/v1", "PAIRWIRE_FCM_URL: fcm_url: must be "
		  "https://HOST[:PORT], without a path" },
		{ "APNS_URL=https://", "PAIRWIRE_APNS_URL: apns_url: must be "
		  "https://HOST[:PORT]" },
		{ "APNS_URL=https://u:p@h", "PAIRWIRE_APNS_URL: apns_url: must be "
		  "https://HOST[:PORT]" },
		{ "APNS_SANDBOX_URL=h", "PAIRWIRE_APNS_SANDBOX_URL: "
		  "apns_sandbox_url: must begin with https://" },
		{ "GOOGLE_TOKEN_URL=https://h:1/token", NULL },
		{ "GOOGLE_TOKEN_URL=https://h", "PAIRWIRE_GOOGLE_TOKEN_URL: "
		  "google_token_url: must be https://HOST[:PORT]/PATH" },
		{ "APNS_ENVIRONMENT=sandbox", NULL },
		{ "APNS_ENVIRONMENT=dev", "PAIRWIRE_APNS_ENVIRONMENT: "
		  "apns_environment: must be production or sandbox" },
		{ "FIREBASE_PROJECT_ID=p FIREBASE_CLIENT_EMAIL=e "
		  "FIREBASE_PRIVATE_KEY=k", NULL },
		{ "FIREBASE_PROJECT_ID=p FIREBASE_PRIVATE_KEY=TOP", "firebase_client_email: is not "
		  "set, but firebase_private_key is: they go together" },
		{ "FIREBASE_CLIENT_EMAIL=e", "firebase_project_id: is not set, "
		  "but firebase_client_email is: they go together" },
		{ "APNS_KEY=/k.p8 APNS_KEY_ID=ABC1234567 APNS_TEAM_ID=TEAM123456 "
		  "APNS_TOPIC=com.example.app", NULL },
		{ "APNS_KEY=/k.p8 APNS_KEY_ID=ABC1234567 APNS_TEAM_ID=TEAM123456",
		  "apns_topic: is not set, but apns_team_id is: they go together" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char err[CONF_ERR_MAX] = "";
		struct conf *c = NULL;
		int rc;

		clearenv();
		set_what_must_be();
		set_all(cases[i].env);
		rc = conf_load(NULL, CONF_FOR_PUSHD, &c, err);
		cr_expect_eq(rc, cases[i].err == NULL ? 0 : -EINVAL, "%s",
			     cases[i].env);
		cr_expect_str_eq(err, cases[i].err != NULL ? cases[i].err : "",
				 "%s: %s", cases[i].env, err);
		conf_free(&c);
		/* the server has nothing to do with them */
		setenv("PAIRWIRE_JWT_SECRET", "s", 1);
		cr_expect_eq(conf_load(NULL, CONF_FOR_SERVER, &c, err), 0, "%s",
			     err);
		conf_free(&c);
	}
}

/* The reference design's names, as its deployments set them. */
Test(conf_pushd, names_of_the_reference)
{
	char err[CONF_ERR_MAX] = "";
	struct conf *c = NULL;

	setenv("FIREBASE_PROJECT_ID", "p", 1);
	setenv("FIREBASE_CLIENT_EMAIL", "e@p", 1);
	setenv("FIREBASE_PRIVATE_KEY", "-----BEGIN\\nk", 1);
	cr_assert_eq(conf_load(NULL, CONF_FOR_PUSHD, &c, err), 0, "%s", err);
	cr_expect_str_eq(c->firebase_project_id, "p");
	cr_expect_str_eq(c->firebase_client_email, "e@p");
	cr_expect_str_eq(c->firebase_private_key, "-----BEGIN\\nk");
	conf_free(&c);
}
