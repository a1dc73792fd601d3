/* Allocation that does not fail: running out of memory ends the process with
 * a message. The supervisor makes a worker's death cheap, and what clients can
 * make us allocate is bounded by limits. Free with free(). */
#ifndef PW_MEM_H
#define PW_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *p, size_t n) __attribute__((returns_nonnull));
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
/* Copy of n bytes with a NUL behind them. */
char *mem_strndup(const char *p, size_t n)
	__attribute__((malloc, returns_nonnull));

#endif
