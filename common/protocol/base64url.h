/* The digits of base64url (RFC 4648, section 5), as session ids and offsets have
 * them: six bits a character. Pure. */
#ifndef PW_BASE64URL_H
#define PW_BASE64URL_H

#include <sys/types.h>

#include "common/base/buf.h"

#define BASE64URL_BITS 6

extern const char base64url_digits[64];
/* 0 to 63; -1: not a digit. */
int base64url_value(char c);

/* Whole bytes, without padding: exactly one text stands for each, every other is
 * refused. At most room bytes go to out; how many, or -EBADMSG. */
ssize_t base64url_decode(struct slice text, void *out, size_t room) MUST_CHECK;
void base64url_encode(struct buf *out, struct slice bytes);

#endif
