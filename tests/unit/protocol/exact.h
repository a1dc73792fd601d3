/* Copies of test inputs in allocations of exactly their size, so that the
 * sanitizer sees a parser that reads one byte too far. */
#ifndef PW_TEST_EXACT_H
#define PW_TEST_EXACT_H

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "common/base/buf.h"

/* free() .p */
static inline struct slice exact(const char *p, size_t n)
{
	char *copy = malloc(n);

	cr_assert(copy != NULL || n == 0);
	if (n > 0)
		memcpy(copy, p, n);
	return (struct slice){ copy, n };
}

static inline struct slice text(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static inline bool same(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

#endif
