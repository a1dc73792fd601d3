/* What the fuzz targets share. Each is one file around LLVMFuzzerTestOneInput,
 * and proves properties of whatever bytes it is given. Linked with libFuzzer
 * (configure --enable-fuzzing), or with replay.c into a test of its corpus. */
#ifndef PW_FUZZ_H
#define PW_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Aborts, which is a finding. */
#define CHECK(cond)                                                     \
	do {                                                            \
		if (!(cond)) {                                          \
			fprintf(stderr, "%s:%d: %s: not so: %s\n",      \
				__FILE__, __LINE__, __func__, #cond);   \
			abort();                                        \
		}                                                       \
	} while (0)

static inline bool same(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Some number below n (0 for 0) that the input chooses, so that the same input
 * always does the same. FNV-1a. */
static inline size_t chosen(const uint8_t *data, size_t size, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < size; i++)
		h = (h ^ data[i]) * 16777619u;
	return n != 0 ? h % n : 0;
}

#endif
