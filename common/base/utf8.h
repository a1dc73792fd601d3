/* UTF-8 (RFC 3629). */
#ifndef PW_UTF8_H
#define PW_UTF8_H

#include "common/base/base.h"

/* Whole characters only: no surrogates, nothing longer than it must be,
 * nothing above U+10FFFF. */
bool utf8_valid(struct slice text);
/* What is no character of it becomes '?', byte by byte. */
void utf8_clean(char *text);

#endif
