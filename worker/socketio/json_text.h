/* A client's JSON text to a tree, as tolerant as JSON.parse where JavaScript
 * clients depend on it. Pure. */
#ifndef PW_JSON_TEXT_H
#define PW_JSON_TEXT_H

#include <jansson.h>

#include "common/base/base.h"

/* A new reference; NULL when it is no JSON, or no valid UTF-8. What jansson
 * alone would refuse: of integers beyond 64 bits all numbers become reals, of
 * reals beyond a double null; an escaped surrogate without its other half
 * becomes U+FFFD, as does \u0000 in a key (in a value it stays); what is nested
 * deeper than 1,000 levels is left out. (stack.md 6) */
json_t *json_text_load(struct slice text);
/* An array's first element when that is a string of at most max bytes, else "";
 * a new reference. Nothing behind it is looked at. */
json_t *json_text_first(struct slice array, size_t max);

#endif
