/* Values of an event's data as text. Pure. */
#ifndef PW_PUSHD_JSON_TEXT_H
#define PW_PUSHD_JSON_TEXT_H

#include <jansson.h>

#include "common/base/buf.h"

/* Appends a string as it is, a number or boolean as JSON (the shortest text that
 * is the same number). False for null, lists and objects, of which nothing is
 * appended. */
bool json_text_plain(const json_t *v, struct buf *out);
/* Appends any value as JSON without spaces. Longer than max bytes: of a list the
 * first elements, as many as there is room for; else nothing, and false. */
bool json_text(const json_t *v, size_t max, struct buf *out);

#endif
