/* Where a text may be cut. Pure. */
#ifndef PW_PUSHD_TEXT_CUT_H
#define PW_PUSHD_TEXT_CUT_H

#include "common/base/base.h"

#define TEXT_ELLIPSIS "\xe2\x80\xa6"	/* U+2026 */

/* Bytes of valid UTF-8 that fit into max: all, or up to the end of a character,
 * before what belongs to the next one. A character is what a reader takes for
 * one (accents, joined and toned emoji, flags stay whole) unless it is made of
 * dozens of code points; never half a code point. Grows with max. */
size_t text_cut(struct slice text, size_t max);

#endif
