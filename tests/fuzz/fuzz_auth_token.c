/* auth_token_verify: what a client shows. The first byte says how far the rest
 * comes: it is a token for a key of each kind; or a header, or claims, of one that
 * is signed with the secret, so that a fuzzer sees what is behind the signature.
 * What is accepted names a user; what is signed by a public key never is, nobody
 * having its private half. */
#include "common/protocol/auth_token.h"

#include <errno.h>

#include "common/base/buf.h"
#include "common/protocol/auth_key.h"
#include "common/protocol/base64url.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/public_keys.h"

#define NOW 1767323045
#define LEEWAY 30
#define HEADER "{\"alg\":\"HS256\"}"
#define CLAIMS "{\"userId\":\"anna\"}"

static struct auth_key *secret, *publics[2];

static void make_keys(void)
{
	static const char *const pems[] = { TEST_RSA_PEM, TEST_EC_PEM };
	char why[AUTH_KEY_WHY_MAX];

	secret = auth_key_hs256("secret");
	for (size_t i = 0; i < ARRAY_SIZE(pems); i++)
		CHECK(auth_key_public(pems[i], &publics[i], why) == 0);
}

static void check(const char *token)
{
	struct auth_claims c = { .expires_at_s = -7 };
	int rc = auth_token_verify(secret, token, NOW, LEEWAY, &c);

	CHECK(rc == 0 || rc == -EACCES);
	if (rc == 0) {
		size_t n = strnlen(c.user_id, sizeof(c.user_id));

		CHECK(n > 0 && n <= PW_ID_MAX && strlen(token) <= AUTH_TOKEN_MAX);
		for (size_t i = 0; i < n; i++)
			CHECK((unsigned char)c.user_id[i] >= 0x20);
		CHECK(c.expires_at_s == 0 || c.expires_at_s + LEEWAY > NOW);
	} else {
		CHECK(c.expires_at_s == -7);
	}
	for (size_t i = 0; i < ARRAY_SIZE(publics); i++)
		CHECK(auth_token_verify(publics[i], token, NOW, LEEWAY, &c) ==
		      -EACCES);
}

/* As the secret's owner would sign it. */
static void check_signed(struct slice header, struct slice claims)
{
	unsigned char mac[AUTH_KEY_MAC_LEN];
	struct buf b = { 0 };

	base64url_encode(&b, header);
	buf_addc(&b, '.');
	base64url_encode(&b, claims);
	CHECK(auth_key_sign(secret, buf_slice(&b), mac) == 0);
	buf_addc(&b, '.');
	base64url_encode(&b, (struct slice){ (const char *)mac, sizeof(mac) });
	check(buf_str(&b));
	buf_free(&b);
}

/* A text that can be decoded is the only one for its bytes. */
static void check_base64url(struct slice text)
{
	char *bytes = malloc(text.n + 1);
	ssize_t n = base64url_decode(text, bytes, text.n);
	struct buf again = { 0 };

	if (n >= 0) {
		base64url_encode(&again, (struct slice){ bytes, (size_t)n });
		CHECK(same(text, buf_slice(&again)));
	}
	buf_free(&again);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice rest = { (const char *)data + 1, n - 1 };
	char *token;

	if (n == 0)
		return 0;
	if (secret == NULL)
		make_keys();
	switch (data[0]) {
	case 'h':
		check_signed(rest, SLICE(CLAIMS));
		break;
	case 'c':
		check_signed(SLICE(HEADER), rest);
		break;
	default:
		token = strndup(rest.p, rest.n);
		check(token);
		free(token);
		check_base64url(rest);
	}
	return 0;
}
