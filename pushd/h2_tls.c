#include "pushd/h2_tls.h"

#include <stdio.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/backend/resolve.h"

static const unsigned char alpn[] = { 2, 'h', '2' };

static const char *reason(unsigned long error)
{
	const char *text = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error)) :
						     ERR_reason_error_string(error);

	return text != NULL ? text : "unknown error";
}

static bool load_ca(SSL_CTX *ctx, const char *ca_file)
{
	if (*ca_file == '\0')
		return SSL_CTX_set_default_verify_paths(ctx) == 1;
	return SSL_CTX_load_verify_file(ctx, ca_file) == 1;
}

static SSL_CTX *make(const char *ca_file, char err[256])
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn)) != 0) {
		snprintf(err, 256, "TLS: %s", reason(ERR_peek_last_error()));
		SSL_CTX_free(ctx);
		return NULL;
	}
	if (!load_ca(ctx, ca_file)) {
		snprintf(err, 256, "CA file %.150s: %s", ca_file,
			 reason(ERR_peek_last_error()));
		ERR_clear_error();
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	/* HTTP/2's frames tell a cut-off answer from a whole one. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
				 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
			      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

/* The last one made: a process's clients have one CA, and the system's takes
 * some 30 ms and 2 MB to read. Kept to the end. */
static struct {
	SSL_CTX *ctx;
	char ca_file[1024];
	struct stat st;
} last;

static bool is_last(const char *ca_file, const struct stat *st)
{
	return last.ctx != NULL && strcmp(last.ca_file, ca_file) == 0 &&
	       last.st.st_ino == st->st_ino && last.st.st_dev == st->st_dev &&
	       last.st.st_size == st->st_size &&
	       last.st.st_mtim.tv_sec == st->st_mtim.tv_sec &&
	       last.st.st_mtim.tv_nsec == st->st_mtim.tv_nsec;
}

SSL_CTX *h2_tls_new(const char *ca_file, char err[256])
{
	struct stat st = { 0 };
	SSL_CTX *ctx;

	if (ca_file == NULL)
		ca_file = "";
	if (*ca_file != '\0' && stat(ca_file, &st) == -1)
		st = (struct stat){ 0 };	/* make() tells */
	if (!is_last(ca_file, &st)) {
		ctx = make(ca_file, err);
		if (ctx == NULL || strlen(ca_file) >= sizeof(last.ca_file))
			return ctx;
		SSL_CTX_free(last.ctx);
		last.ctx = ctx;
		last.st = st;
		strcpy(last.ca_file, ca_file);
	}
	SSL_CTX_up_ref(last.ctx);
	return last.ctx;
}

SSL *h2_tls_session(SSL_CTX *ctx, const char *host)
{
	SSL *ssl = SSL_new(ctx);
	int ok;

	if (ssl == NULL)
		return NULL;
	if (resolve_is_numeric(host))	/* no SNI of an address: RFC 6066, 3 */
		ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
	else
		ok = SSL_set1_host(ssl, host) == 1 &&
		     SSL_set_tlsext_host_name(ssl, host) == 1;
	if (!ok) {
		SSL_free(ssl);
		return NULL;
	}
	return ssl;
}

bool h2_tls_speaks_h2(const SSL *ssl)
{
	const unsigned char *p;
	unsigned n;

	SSL_get0_alpn_selected(ssl, &p, &n);
	return n == alpn[0] && memcmp(p, alpn + 1, n) == 0;
}

void h2_tls_why(const SSL *ssl, unsigned long error, int sys, char *out, size_t n)
{
	long verdict = SSL_get_verify_result(ssl);

	if (verdict != X509_V_OK)
		snprintf(out, n, "the server's certificate is refused: %s",
			 X509_verify_cert_error_string(verdict));
	else if (ERR_GET_LIB(error) != 0)	/* else: libevent's note SSL_ERROR_SYSCALL */
		snprintf(out, n, "TLS: %s", reason(error));
	else if (sys != 0)
		snprintf(out, n, "%s", strerror(sys));
	else
		snprintf(out, n, "closed by the server");
}
