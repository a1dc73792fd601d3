/* The public key of the users' tokens. Who reads the configuration has it judged,
 * and hands on the key itself: a worker that starts later has that one, whatever
 * is in the file by then. */
#include "common/conf/conf_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/conf/conf_show.h"
#include "common/protocol/auth_key.h"

/* A shell's or a container's variable has one line. PEM has no backslashes. */
static void break_lines(char *pem)
{
	char *to = pem;

	for (const char *p = pem; *p != '\0'; p++) {
		if (p[0] == '\\' && p[1] == 'n') {
			*to++ = '\n';
			p++;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
}

/* The key in the file, a new string; or -errno, and what is wrong with it in why:
 * -EINVAL with what it is, another with how it can be read. */
static int read_file(const char *path, char **pem_out, char why[AUTH_KEY_WHY_MAX])
{
	size_t room = AUTH_KEY_PEM_MAX + 1;
	char *text = mem_alloc(room);
	ssize_t n = conf_slurp(path, text, room);
	int rc = -EINVAL;

	if (n == -EFBIG)
		snprintf(why, AUTH_KEY_WHY_MAX, "is longer than %d bytes: no "
			 "public key", AUTH_KEY_PEM_MAX);
	else if (n == -EINVAL)
		snprintf(why, AUTH_KEY_WHY_MAX, "is not a regular file");
	else if (n < 0)
		snprintf(why, AUTH_KEY_WHY_MAX, "%s", strerror(-(rc = (int)n)));
	else if (memchr(text, '\0', (size_t)n) != NULL)
		snprintf(why, AUTH_KEY_WHY_MAX, "contains a NUL byte");
	else
		rc = 0;
	*pem_out = rc == 0 ? mem_strndup(text, (size_t)n) : NULL;
	explicit_bzero(text, room);	/* see forget() */
	free(text);
	return rc;
}

/* It may be a private key by mistake. */
static void forget(char *pem)
{
	if (pem != NULL)
		explicit_bzero(pem, strlen(pem));
	free(pem);
}

static int judge(const char *pem, char why[AUTH_KEY_WHY_MAX])
{
	struct auth_key *k = NULL;
	int rc = auth_key_public(pem, &k, why);

	auth_key_free(&k);
	return rc;
}

/* Whoever could sign by a second one would be believed, too: which is meant? */
static int check_alone(struct conf_reading *rd)
{
	static const enum conf_id keys[] = {
		CONF_KEY_jwt_secret, CONF_KEY_jwt_public_key_file,
		CONF_KEY_jwt_public_key,
	};
	int first = -1;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (**conf_str_field(rd->conf, keys[i]) == '\0')
			continue;
		if (first != -1)
			return conf_error(rd, keys[i], "is set, and so is %s; "
					  "tokens are checked by one key: leave "
					  "one of them empty",
					  conf_keys[keys[first]].key);
		first = (int)i;
	}
	return 0;
}

/* Programs that take either under one name have it so. Everybody knows a public key,
 * and could sign by it as a secret. */
static int check_secret(struct conf_reading *rd)
{
	const char *secret = rd->conf->jwt_secret;

	if (strstr(secret, "PUBLIC KEY-----") == NULL &&
	    strstr(secret, "CERTIFICATE-----") == NULL)
		return 0;
	return conf_error(rd, CONF_KEY_jwt_secret, "is no secret, but a public key or "
			  "a certificate, by which everybody could sign; give a "
			  "public key as jwt_public_key or jwt_public_key_file");
}

static int take_file(struct conf_reading *rd, const char *path)
{
	struct conf_origin *o = &rd->origin[CONF_KEY_jwt_public_key];
	char **field = conf_str_field(rd->conf, CONF_KEY_jwt_public_key);
	char why[AUTH_KEY_WHY_MAX];
	char *pem;
	int rc = read_file(path, &pem, why);

	if (rc == 0 && judge(pem, why) != 0)
		rc = -EINVAL;
	if (rc != 0) {
		forget(pem);
		conf_error(rd, CONF_KEY_jwt_public_key_file, "%.100s: %s", path,
			   why);
		return rc;
	}
	free(*field);
	*field = pem;
	*o = (struct conf_origin){ .derived = true };
	return 0;
}

int conf_read_public_key(struct conf_reading *rd)
{
	char *pem = rd->conf->jwt_public_key;
	char why[AUTH_KEY_WHY_MAX];
	int rc = check_alone(rd);

	if (rc == 0)
		rc = check_secret(rd);
	if (rc != 0)
		return rc;
	if (*rd->conf->jwt_public_key_file != '\0')
		return take_file(rd, rd->conf->jwt_public_key_file);
	break_lines(pem);
	if (*pem != '\0' && judge(pem, why) != 0)
		return conf_error(rd, CONF_KEY_jwt_public_key, "%s", why);
	return 0;
}

/* --- for people --- */

static void describe(const struct conf *c, struct buf *out)
{
	char why[AUTH_KEY_WHY_MAX];
	struct auth_key *k = NULL;

	if (*c->jwt_public_key == '\0') {
		buf_adds(out, "HS256, jwt_secret");
		return;
	}
	if (auth_key_public(c->jwt_public_key, &k, why) != 0) {
		buf_printf(out, "jwt_public_key %s", why);	/* it was good */
		return;
	}
	buf_printf(out, "%s, a public key of %u bits", auth_key_alg(k),
		   auth_key_bits(k));
	auth_key_free(&k);
}

void conf_token_key(const struct conf *c, struct buf *text, struct buf *todo)
{
	const char *path = c->jwt_public_key_file;
	char why[AUTH_KEY_WHY_MAX];
	char *pem;

	describe(c, text);
	if (*path == '\0')
		return;
	if (read_file(path, &pem, why) != 0 || judge(pem, why) != 0) {
		buf_printf(text, "; by now, %s: %s", path, why);
		buf_adds(todo, "mend jwt_public_key_file before the next reload or "
			       "start");
	} else if (strcmp(pem, c->jwt_public_key) != 0) {
		buf_printf(text, "; %s has another key by now", path);
		buf_adds(todo, "pairwirectl reload");
	} else {
		buf_printf(text, ", %s", path);
	}
	forget(pem);
}
