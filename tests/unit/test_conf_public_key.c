/* The public key of users' tokens: as a file, as text, as a credential. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf/conf_change.h"
#include "common/conf/conf_keys.h"
#include "common/conf/conf_show.h"
#include "common/protocol/auth_key.h"
#include "tests/unit/conf_text.h"
#include "tests/unit/public_keys.h"

#define DATABASE "[directory]\ndatabase_url = postgresql://h/d\n"
#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"

static char dir[] = "/tmp/pw-public-key-XXXXXX";
static char path[64];

static void give(const void *p, size_t n)
{
	FILE *f;

	if (path[0] == '\0') {
		cr_assert_not_null(mkdtemp(dir));
		snprintf(path, sizeof(path), "%s/jwt_public_key", dir);
	}
	f = fopen(path, "w");
	cr_assert_not_null(f);
	cr_assert_eq(fwrite(p, 1, n, f), n);
	fclose(f);
}
#define GIVE(text) give(text, sizeof(text) - 1)

static void clean(void)
{
	remove(path);
	rmdir(dir);
}

/* [auth] with jwt_public_key_file = path, and these lines. */
static const char *naming(const char *lines)
{
	static char text[512];

	snprintf(text, sizeof(text), "[auth]\njwt_public_key_file = %s\n%s" DATABASE,
		 path, lines);
	return text;
}

static void expect_error(const char *text, const char *expected)
{
	char err[CONF_ERR_MAX];
	struct conf *c = NULL;

	cr_expect_lt(load(text, strlen(text), &c, err), 0, "%s", text);
	cr_expect_str_eq(err, expected);
	conf_free(&c);
}

/* Of the file: "FILE:2: jwt_public_key_file: PATH: what". */
static void expect_bad_file(const char *what)
{
	char expected[CONF_ERR_MAX];

	snprintf(expected, sizeof(expected), "FILE:2: jwt_public_key_file: %s: %s",
		 path, what);
	expect_error(naming(""), expected);
}

Test(conf, public_key_of_a_file, .fini = clean)
{
	struct conf *c;

	GIVE(TEST_EC_PEM);
	c = load_good(naming(""));
	cr_expect_str_eq(c->jwt_public_key_file, path);
	cr_expect_str_eq(c->jwt_public_key, TEST_EC_PEM);
	cr_expect(c->origins->of[CONF_KEY_jwt_public_key].derived);
	conf_free(&c);
	GIVE(TEST_RSA_PEM);
	c = load_good(naming("jwt_secret =\njwt_public_key =\n"));
	cr_expect_str_eq(c->jwt_public_key, TEST_RSA_PEM);
	conf_free(&c);
	setenv("JWT_PUBLIC_KEY_FILE", path, 1);
	c = load_good(DATABASE);
	cr_expect_str_eq(c->jwt_public_key, TEST_RSA_PEM);
	conf_free(&c);
	unsetenv("JWT_PUBLIC_KEY_FILE");
}

/* As a worker gets c. */
static struct conf *handed_on(const struct conf *c)
{
	char err[CONF_ERR_MAX] = "";
	struct conf *back = NULL;
	struct buf b = { 0 };
	FILE *f = tmpfile();

	conf_write(c, &b);
	cr_assert_eq(fwrite(b.p, 1, b.len, f), b.len);
	cr_assert_eq(fflush(f), 0);
	cr_assert_eq(conf_read_fd(fileno(f), &back, err), 0, "%s", err);
	fclose(f);
	buf_free(&b);
	return back;
}

/* A worker gets the key, not its file's name alone; that one may be gone. */
Test(conf, public_key_is_handed_on)
{
	struct conf *c, *back;

	GIVE(TEST_RSA_PEM);
	c = load_good(naming(""));
	clean();
	back = handed_on(c);
	cr_expect_str_eq(back->jwt_public_key, TEST_RSA_PEM);
	cr_expect_str_eq(back->jwt_public_key_file, path);
	cr_expect_str_eq(back->jwt_secret, "");
	conf_free(&c);
	conf_free(&back);
}

/* The longest file that is taken, each byte but the key's to be escaped: what the
 * master has judged, a worker can read. */
Test(conf, longest_public_key_is_handed_on, .fini = clean)
{
	static char text[AUTH_KEY_PEM_MAX + 1];
	struct conf *c, *back;

	memset(text, '\n', AUTH_KEY_PEM_MAX);
	memcpy(text + AUTH_KEY_PEM_MAX - strlen(TEST_EC_PEM), TEST_EC_PEM,
	       strlen(TEST_EC_PEM));
	give(text, AUTH_KEY_PEM_MAX);
	c = load_good(naming(""));
	back = handed_on(c);
	cr_expect_str_eq(back->jwt_public_key, text);
	conf_free(&c);
	conf_free(&back);
}

Test(conf, public_key_as_text, .fini = clean)
{
	struct buf line = { 0 };
	struct conf *c;

	setenv("PAIRWIRE_JWT_PUBLIC_KEY", TEST_EC_PEM, 1);
	c = load_good(DATABASE);
	cr_expect_str_eq(c->jwt_public_key, TEST_EC_PEM);
	conf_free(&c);
	/* a variable of one line */
	for (const char *p = TEST_EC_PEM; *p != '\0'; p++)
		buf_printf(&line, *p == '\n' ? "\\n" : "%c", *p);
	setenv("PAIRWIRE_JWT_PUBLIC_KEY", buf_str(&line), 1);
	c = load_good(DATABASE);
	cr_expect_str_eq(c->jwt_public_key, TEST_EC_PEM);
	conf_free(&c);
	setenv("PAIRWIRE_JWT_PUBLIC_KEY", "nonsense", 1);
	expect_error(DATABASE, "PAIRWIRE_JWT_PUBLIC_KEY: jwt_public_key: is no public "
			       "key in PEM form (" PEM_BEGIN ")");
	unsetenv("PAIRWIRE_JWT_PUBLIC_KEY");
	buf_free(&line);
	/* systemd's */
	GIVE(TEST_RSA_PEM);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	c = load_good(DATABASE);
	cr_expect_eq(strncmp(c->jwt_public_key, TEST_RSA_PEM,
			     strlen(TEST_RSA_PEM) - 1), 0);
	cr_expect(c->origins->of[CONF_KEY_jwt_public_key].credential);
	conf_free(&c);
	GIVE("-----BEGIN PRIVATE KEY-----\n");
	expect_error(DATABASE, "credential jwt_public_key: is a private key; give its "
			       "public half (openssl pkey -pubout) and leave this one "
			       "with whoever signs");
	unsetenv("CREDENTIALS_DIRECTORY");
}

Test(conf, bad_public_key_files, .fini = clean)
{
	static char big[16385];

	GIVE("");
	expect_bad_file("is no public key in PEM form (" PEM_BEGIN ")");
	GIVE("a secret\n");
	expect_bad_file("is no public key in PEM form (" PEM_BEGIN ")");
	GIVE(PEM_BEGIN "\0");
	expect_bad_file("contains a NUL byte");
	GIVE("-----BEGIN RSA PRIVATE KEY-----\nSECRET");
	expect_bad_file("is a private key; give its public half (openssl pkey "
			"-pubout) and leave this one with whoever signs");
	memset(big, 'x', sizeof(big));
	give(big, 16384);
	expect_bad_file("is no public key in PEM form (" PEM_BEGIN ")");
	give(big, 16385);
	expect_bad_file("is longer than 16384 bytes: no public key");
	remove(path);
	expect_bad_file("No such file or directory");
	cr_assert_eq(mkdir(path, 0700), 0);
	expect_bad_file("is not a regular file");
	rmdir(path);
	cr_assert_eq(mkfifo(path, 0600), 0);	/* nobody ever writes to it */
	expect_bad_file("is not a regular file");
}

Test(conf, one_key_of_tokens, .fini = clean)
{
	GIVE(TEST_EC_PEM);
	expect_error(naming("jwt_secret = s\n"),
		     "FILE:2: jwt_public_key_file: is set, and so is jwt_secret; "
		     "tokens are checked by one key: leave one of them empty");
	setenv("PAIRWIRE_JWT_PUBLIC_KEY", TEST_EC_PEM, 1);
	expect_error(GOOD, "PAIRWIRE_JWT_PUBLIC_KEY: jwt_public_key: is set, and so is "
		     "jwt_secret; tokens are checked by one key: leave one of them "
		     "empty");
	expect_error(naming(""), "PAIRWIRE_JWT_PUBLIC_KEY: jwt_public_key: is set, and "
		     "so is jwt_public_key_file; tokens are checked by one key: leave "
		     "one of them empty");
	unsetenv("PAIRWIRE_JWT_PUBLIC_KEY");
	setenv("JWT_SECRET", "s", 1);
	expect_error(naming(""), "FILE:2: jwt_public_key_file: is set, and so is "
		     "jwt_secret; tokens are checked by one key: leave one of them "
		     "empty");
	setenv("JWT_SECRET", "", 1);
	expect_error(DATABASE, "JWT_SECRET: jwt_secret: is not set; give the secret "
		     "your app signs its tokens with as jwt_secret in section [auth] "
		     "of the file, or in the environment as PAIRWIRE_JWT_SECRET (or a "
		     "jwt_public_key_file)");
	unsetenv("JWT_SECRET");
}

Test(conf, public_key_is_no_secret)
{
	static const char *const bad[] = {
		TEST_EC_PEM,
		"-----BEGIN PUBLIC KEY-----\\nMFkw\\n-----END PUBLIC KEY-----",
		"-----BEGIN RSA PUBLIC KEY-----\nMIIB\n",
		"-----BEGIN CERTIFICATE-----\nMIIB\n",
	};
	struct conf *c;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		setenv("JWT_SECRET", bad[i], 1);
		expect_error(DATABASE, "JWT_SECRET: jwt_secret: is no secret, but a "
			     "public key or a certificate, by which everybody could "
			     "sign; give a public key as jwt_public_key or "
			     "jwt_public_key_file");
	}
	setenv("JWT_SECRET", "PUBLIC KEY", 1);
	c = load_good(DATABASE);
	conf_free(&c);
	unsetenv("JWT_SECRET");
}

/* pushd and tools: the file may not even be theirs to read. */
Test(conf, public_key_is_the_servers, .fini = clean)
{
	static const enum conf_for others[] = { CONF_FOR_PUSHD, CONF_FOR_TOOL };

	GIVE("nonsense");
	setenv("JWT_PUBLIC_KEY_FILE", path, 1);
	setenv("DATABASE_URL", "postgresql://h/d", 1);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		char err[CONF_ERR_MAX] = "";
		struct conf *c = NULL;

		cr_expect_eq(conf_load(NULL, others[i], &c, err), 0, "%s", err);
		conf_free(&c);
	}
	unsetenv("JWT_PUBLIC_KEY_FILE");
	unsetenv("DATABASE_URL");
}

static void note(void *arg, const char *key, enum conf_when when)
{
	cr_expect_eq(when, CONF_LIVE);
	buf_printf(arg, "%s ", key);
}

/* The file keeps its name, and has another key in it. */
Test(conf, public_key_changes, .fini = clean)
{
	struct buf changed = { 0 };
	struct conf *was, *is;

	GIVE(TEST_EC_PEM);
	was = load_good(naming(""));
	GIVE(TEST_OTHER_EC_PEM);
	is = load_good(naming(""));
	conf_diff(was, is, note, &changed);
	cr_expect_str_eq(buf_str(&changed), "jwt_public_key ");
	conf_keep(is, was);
	cr_expect_str_eq(is->jwt_public_key, TEST_OTHER_EC_PEM);
	conf_take_live(was, is);
	cr_expect_str_eq(was->jwt_public_key, TEST_OTHER_EC_PEM);
	buf_free(&changed);
	conf_free(&was);
	conf_free(&is);
}

static void expect_told(const struct conf *c, const char *text, const char *todo)
{
	struct buf said = { 0 }, do_it = { 0 };

	conf_token_key(c, &said, &do_it);
	cr_expect_str_eq(buf_str(&said), text);
	cr_expect_str_eq(buf_str(&do_it), todo);
	buf_free(&said);
	buf_free(&do_it);
}

Test(conf, token_key_in_words, .fini = clean)
{
	struct conf *c = load_good(GOOD);
	char text[256];

	expect_told(c, "HS256, jwt_secret", "");
	conf_free(&c);
	GIVE(TEST_RSA_PEM);
	c = load_good(naming(""));
	snprintf(text, sizeof(text), "RS256, a public key of 2048 bits, %s", path);
	expect_told(c, text, "");
	GIVE(TEST_EC_PEM);
	snprintf(text, sizeof(text), "RS256, a public key of 2048 bits; %s has another "
		 "key by now", path);
	expect_told(c, text, "pairwirectl reload");
	remove(path);
	snprintf(text, sizeof(text), "RS256, a public key of 2048 bits; by now, %s: No "
		 "such file or directory", path);
	expect_told(c, text, "mend jwt_public_key_file before the next reload or start");
	conf_free(&c);
	setenv("PAIRWIRE_JWT_PUBLIC_KEY", TEST_EC_PEM, 1);
	c = load_good(DATABASE);
	expect_told(c, "ES256, a public key of 256 bits", "");
	conf_free(&c);
	unsetenv("PAIRWIRE_JWT_PUBLIC_KEY");
}
