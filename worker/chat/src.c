#include "worker/chat/src.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void src_init(struct src *s, const char *instance)
{
	*s = (struct src){ .instance = instance };
	snprintf(s->text, sizeof(s->text), "%s", instance);
}

const char *src_now(struct src *s)
{
	if (s->cut) {
		s->cut = false;
		snprintf(s->text, sizeof(s->text), "%s.%u", s->instance,
			 ++s->number);
	}
	return s->text;
}

void src_cut(struct src *s, const char *src)
{
	if (strcmp(src, s->text) == 0)
		s->cut = true;
}

unsigned src_number(const struct src *s, const char *src)
{
	size_t n = strlen(s->instance);

	if (strncmp(src, s->instance, n) != 0 || src[n] != '.')
		return 0;
	return (unsigned)strtoul(src + n + 1, NULL, 10);
}
