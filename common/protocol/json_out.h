/* Appends JSON to a buf, for the events on the message path: no tree, no
 * allocation but the buf's. Strings must be valid UTF-8. The caller writes
 * punctuation with buf_adds/buf_addc. (RFC 8259) */
#ifndef PW_JSON_OUT_H
#define PW_JSON_OUT_H

#include "common/base/buf.h"

/* "…" with escapes. */
void json_out_str(struct buf *b, const char *p, size_t n);
void json_out_cstr(struct buf *b, const char *s);
void json_out_int(struct buf *b, int64_t v);
/* "2026-01-02T03:04:05.678Z" in quotes. */
void json_out_time(struct buf *b, int64_t ms);

#endif
