/* Which clients share a TLS context. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "pushd/h2_tls.h"

static void write_certificate(const char *path)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509 *cert = X509_new();
	FILE *f = fopen(path, "w");

	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 60);
	X509_set_pubkey(cert, key);
	cr_assert_gt(X509_sign(cert, key, EVP_sha256()), 0);
	cr_assert_eq(PEM_write_X509(f, cert), 1);
	fclose(f);
	X509_free(cert);
	EVP_PKEY_free(key);
}

Test(h2_tls, clients_of_a_ca_share_until_its_file_changes)
{
	char path[] = "/tmp/h2-tls-XXXXXX", err[256] = "";
	SSL_CTX *system = h2_tls_new(NULL, err), *ctx[4];

	cr_assert_not_null(system, "%s", err);
	ctx[0] = h2_tls_new("", err);
	cr_assert_eq(ctx[0], system);
	SSL_CTX_free(ctx[0]);

	cr_assert_neq(mkstemp(path), -1);
	cr_assert_null(h2_tls_new(path, err));
	cr_assert_not_null(strstr(err, path), "%s", err);
	write_certificate(path);
	ctx[0] = h2_tls_new(path, err);
	ctx[1] = h2_tls_new(path, err);
	cr_assert_not_null(ctx[0], "%s", err);
	cr_assert_neq(ctx[0], system);
	cr_assert_eq(ctx[1], ctx[0]);
	unlink(path);
	cr_assert_null(h2_tls_new(path, err));
	write_certificate(path);
	ctx[2] = h2_tls_new(path, err);
	cr_assert_not_null(ctx[2]);
	cr_assert_neq(ctx[2], ctx[0]);
	ctx[3] = h2_tls_new(NULL, err);
	cr_assert_neq(ctx[3], ctx[2]);
	unlink(path);
	for (int i = 0; i < 4; i++)
		SSL_CTX_free(ctx[i]);
	SSL_CTX_free(system);
}
