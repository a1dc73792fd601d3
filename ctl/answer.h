/* Looks into an answer. Whatever it is instead of what was expected, there is
 * something to print. */
#ifndef PW_CTL_ANSWER_H
#define PW_CTL_ANSWER_H

#include <jansson.h>

#include "common/base/base.h"

/* 0 when it is no whole number. */
int64_t answer_number(const json_t *o, const char *key);
/* "-" when it is no string. Borrowed from o. */
const char *answer_text(const json_t *o, const char *key);
/* The number as text, "-" when it is none. */
struct answer_digits { char text[24]; };
struct answer_digits answer_digits(const json_t *o, const char *key);

/* The two largest units: "3d 4h", "12s". */
struct answer_span { char text[32]; };
struct answer_span answer_span(int64_t ms);

#endif
