#include "tests/unit/pushd/push_keys.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/base/mem.h"

static char *bio_text(BIO *b)
{
	char *p = NULL;
	long n = BIO_get_mem_data(b, &p);
	char *text = mem_strndup(p, (size_t)n);

	BIO_free(b);
	return text;
}

static struct test_key take(EVP_PKEY *p)
{
	BIO *key = BIO_new(BIO_s_mem()), *pub = BIO_new(BIO_s_mem());
	struct test_key k;

	PEM_write_bio_PKCS8PrivateKey(key, p, NULL, NULL, 0, NULL, NULL);
	PEM_write_bio_PUBKEY(pub, p);
	k.pem = bio_text(key);
	k.public_pem = bio_text(pub);
	EVP_PKEY_free(p);
	return k;
}

struct test_key test_key_rsa(unsigned bits)
{
	return take(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits));
}

struct test_key test_key_ec(const char *curve)
{
	return take(EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve));
}

void test_key_clear(struct test_key *k)
{
	free(k->pem);
	free(k->public_pem);
	*k = (struct test_key){ 0 };
}

static json_t *decode(const char *token, const struct test_key *k,
		      const char *alg,
		      char *(*part)(jwt_t *jwt, const char *name))
{
	json_t *j = NULL;
	jwt_t *jwt = NULL;
	char *text;

	if (jwt_decode(&jwt, token, (const unsigned char *)k->public_pem,
		       (int)strlen(k->public_pem)) != 0)
		return NULL;
	if (jwt_get_alg(jwt) == jwt_str_alg(alg)) {
		text = part(jwt, NULL);
		j = json_loads(text, 0, NULL);
		free(text);
	}
	jwt_free(jwt);
	return j;
}

json_t *test_jwt_claims(const char *jwt, const struct test_key *k,
			const char *alg)
{
	return decode(jwt, k, alg, jwt_get_grants_json);
}

json_t *test_jwt_header(const char *jwt, const struct test_key *k,
			const char *alg)
{
	return decode(jwt, k, alg, jwt_get_headers_json);
}

#define FILES_MAX 32

static char dir[256];
static char *files[FILES_MAX];

const char *test_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (dir[0] == '\0') {
		snprintf(dir, sizeof(dir), "%.200s/push-XXXXXX",
			 tmp != NULL ? tmp : "/tmp");
		if (mkdtemp(dir) == NULL)
			abort();
	}
	return dir;
}

const char *test_file(const char *name, const char *text)
{
	char path[512];
	int i = 0, fd;

	snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd == -1 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
	while (i < FILES_MAX - 1 && files[i] != NULL &&
	       strcmp(files[i], path) != 0)
		i++;
	if (files[i] == NULL)
		files[i] = mem_strdup(path);
	return files[i];
}

char *test_account_json(const struct test_key *k, const char *project)
{
	json_t *j = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}",
			      "type", "service_account", "project_id", project,
			      "private_key_id", "kid-1", "private_key", k->pem,
			      "client_email", "push@test.example",
			      "token_uri", "https://token.test:8443/oauth/token");
	char *text = json_dumps(j, JSON_INDENT(2));

	json_decref(j);
	return text;
}

void test_dir_remove(void)
{
	for (int i = 0; i < FILES_MAX && files[i] != NULL; i++) {
		unlink(files[i]);
		free(files[i]);
		files[i] = NULL;
	}
	if (dir[0] != '\0')
		rmdir(dir);
	dir[0] = '\0';
}

static int saved[3] = { -1, -1, -1 };
static FILE *captured;

void test_capture(void)
{
	captured = tmpfile();
	fflush(stdout);
	for (int fd = 1; fd <= 2; fd++) {
		saved[fd] = dup(fd);
		dup2(fileno(captured), fd);
	}
}

char *test_captured(void)
{
	struct buf b = { 0 };
	char *text;
	size_t n;

	fflush(stdout);
	for (int fd = 1; fd <= 2; fd++) {
		dup2(saved[fd], fd);
		close(saved[fd]);
	}
	rewind(captured);
	do {
		buf_reserve(&b, 4096);
		n = fread(b.p + b.len, 1, 4096, captured);
		b.len += n;
	} while (n > 0);
	fclose(captured);
	text = mem_strdup(buf_str(&b));
	buf_free(&b);
	return text;
}
