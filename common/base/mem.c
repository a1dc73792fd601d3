#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p, size_t n)
{
	if (p == NULL && n != 0) {
		fprintf(stderr, "out of memory (%zu bytes)\n", n);
		abort();
	}
	return p;
}

void *mem_alloc(size_t n)
{
	n = n != 0 ? n : 1;
	return checked(malloc(n), n);
}

void *mem_zalloc(size_t n)
{
	n = n != 0 ? n : 1;
	return checked(calloc(1, n), n);
}

void *mem_realloc(void *p, size_t n)
{
	n = n != 0 ? n : 1;
	return checked(realloc(p, n), n);
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *p, size_t n)
{
	char *s = mem_alloc(n + 1);

	if (n > 0)
		memcpy(s, p, n);
	s[n] = '\0';
	return s;
}
