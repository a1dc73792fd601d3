/* Secrets as files from systemd. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf/conf_keys.h"
#include "tests/unit/conf_text.h"

static char dir[] = "/tmp/pw-credentials-XXXXXX";

static void give(const char *key, const void *p, size_t n)
{
	char path[128];
	FILE *f;

	if (getenv("CREDENTIALS_DIRECTORY") == NULL) {
		cr_assert_not_null(mkdtemp(dir));
		setenv("CREDENTIALS_DIRECTORY", dir, 1);
	}
	snprintf(path, sizeof(path), "%s/%s", dir, key);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	cr_assert_eq(fwrite(p, 1, n, f), n);
	fclose(f);
}

static void clean(void)
{
	char path[128];

	for (int i = 0; i < CONF__COUNT; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, conf_keys[i].key);
		remove(path);
	}
	rmdir(dir);
}

#define GIVE(key, text) give(key, text, sizeof(text) - 1)

Test(conf, credentials_beat_the_file, .fini = clean)
{
	struct conf *c;

	GIVE("jwt_secret", "from \"systemd\" ; #\n");
	GIVE("database_url", "postgresql://u:p@h/x");
	GIVE("redis_password", "two\n\n");
	GIVE("firebase_private_key", "-----BEGIN\nabc\n-----END\n");
	GIVE("node", "no secret, not taken\n");
	c = load_good(GOOD);
	cr_expect_str_eq(c->jwt_secret, "from \"systemd\" ; #");
	cr_expect_str_eq(c->database_url, "postgresql://u:p@h/x");
	cr_expect_str_eq(c->store_url, "postgresql://u:p@h/x");
	cr_expect_str_eq(c->redis_password, "two\n", "one newline");
	cr_expect_str_eq(c->firebase_private_key, "-----BEGIN\nabc\n-----END");
	cr_expect_str_neq(c->node, "no secret, not taken");
	cr_expect(c->origins->of[CONF_KEY_jwt_secret].credential);
	conf_free(&c);
}

Test(conf, the_environment_beats_credentials, .fini = clean)
{
	struct conf *c;

	GIVE("jwt_secret", "from systemd\n");
	setenv("JWT_SECRET", "from the environment", 1);
	c = load_good(GOOD);
	cr_expect_str_eq(c->jwt_secret, "from the environment");
	conf_free(&c);
}

Test(conf, no_such_directory)
{
	struct conf *c;

	setenv("CREDENTIALS_DIRECTORY", "/nowhere/at/all", 1);
	c = load_good(GOOD);
	conf_free(&c);
}

static void expect_error(const char *expected)
{
	struct conf *c = NULL;
	char err[CONF_ERR_MAX];

	cr_expect_neq(load(GOOD, sizeof(GOOD) - 1, &c, err), 0);
	cr_expect_str_eq(err, expected);
	conf_free(&c);
}

Test(conf, credentials_as_long_as_they_may_be, .fini = clean)
{
	static char text[4098];
	struct conf *c;

	memset(text, 'x', sizeof(text));
	text[4096] = '\n';
	give("jwt_secret", text, 4097);
	c = load_good(GOOD);
	cr_expect_eq(strlen(c->jwt_secret), 4096);
	conf_free(&c);
	text[4096] = 'x';
	give("jwt_secret", text, 4097);
	expect_error("credential jwt_secret: 4097 bytes long; at most 4096 are "
		     "allowed");
	give("jwt_secret", text, 4098);
	expect_error("credential jwt_secret: longer than the 4096 bytes that are "
		     "allowed");
}

Test(conf, bad_credentials, .fini = clean)
{
	char path[128];

	GIVE("jwt_secret", "a\0b");
	expect_error("credential jwt_secret: contains a NUL byte");
	GIVE("jwt_secret", "\n");
	expect_error("credential jwt_secret: is not set; give the secret your "
		     "app signs its tokens with as jwt_secret in section [auth] "
		     "of the file, or in the environment as PAIRWIRE_JWT_SECRET "
		     "(or a jwt_public_key_file)");
	GIVE("jwt_secret", "good");
	GIVE("database_url", "mysql://SECRET@h");
	expect_error("credential database_url: must begin with postgresql:// or "
		     "postgres://");
	snprintf(path, sizeof(path), "%s/database_url", dir);
	remove(path);
	cr_assert_eq(mkdir(path, 0700), 0);
	expect_error("credential database_url: not a regular file");
	rmdir(path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	expect_error("credential database_url: not a regular file");
}
