/* A growable run of bytes. Zero-initialised is empty and owns nothing. */
#ifndef PW_BUF_H
#define PW_BUF_H

#include "common/base/base.h"

struct buf {
	char *p;	/* len bytes are set; not NUL-terminated */
	size_t len;
	size_t cap;
};

/* Room for n more bytes; afterwards p + len may be written to. */
void buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
/* NUL-terminates without counting the NUL; returns p, borrowed. */
const char *buf_str(struct buf *b);
/* Drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);
/* len = 0, memory kept. */
void buf_clear(struct buf *b);
/* Gives the memory back; b is empty and usable afterwards. */
void buf_free(struct buf *b);

static inline struct slice buf_slice(const struct buf *b)
{
	return (struct slice){ b->p, b->len };
}

#endif
