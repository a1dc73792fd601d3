/* Keys made for a test, files for them, and what a JWT says. */
#ifndef PW_TEST_PUSH_KEYS_H
#define PW_TEST_PUSH_KEYS_H

#include <jansson.h>

#include "common/base/buf.h"

struct test_key {
	char *pem;		/* PKCS#8 */
	char *public_pem;
};
struct test_key test_key_rsa(unsigned bits);
struct test_key test_key_ec(const char *curve);
void test_key_clear(struct test_key *k);

/* Claims, or the header, of a token whose signature by this key is right; else
 * NULL. */
json_t *test_jwt_claims(const char *jwt, const struct test_key *k,
			const char *alg);
json_t *test_jwt_header(const char *jwt, const struct test_key *k,
			const char *alg);

/* A directory of the test's own: its name, in TMPDIR. */
const char *test_dir(void);
/* Writes a file into it, mode 0600; its path, borrowed until called for this
 * name again. */
const char *test_file(const char *name, const char *text);
/* A service account's JSON; a new string. */
char *test_account_json(const struct test_key *k, const char *project);
void test_dir_remove(void);

/* Standard error and output of the test, from here to there. */
void test_capture(void);
char *test_captured(void);	/* a new string */

#endif
