/* TLS of the HTTP/2 client: 1.2 or newer, the server's certificate checked
 * against a CA and the host's name, ALPN "h2" (RFC 9113, 3.2 and 9.2). */
#ifndef PW_PUSHD_H2_TLS_H
#define PW_PUSHD_H2_TLS_H

#include <openssl/ssl.h>

#include "common/base/base.h"

/* ca_file: PEM; NULL or "": the system's. NULL with a sentence in err. Free with
 * SSL_CTX_free(). Clients of the same CA, its file unchanged, share one. */
SSL_CTX *h2_tls_new(const char *ca_file, char err[256]);
/* For one connection to host, a name or an address. NULL: no memory. */
SSL *h2_tls_session(SSL_CTX *ctx, const char *host);
/* After the handshake. */
bool h2_tls_speaks_h2(const SSL *ssl);
/* Why the connection failed, in words: the certificate's fault, or error (of
 * OpenSSL's queue, 0: none), or sys (errno, 0: none). */
void h2_tls_why(const SSL *ssl, unsigned long error, int sys, char *out, size_t n);

#endif
