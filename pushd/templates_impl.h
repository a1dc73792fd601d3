/* Of templates.c (the texts) and templates_file.c (the file). */
#ifndef PW_PUSHD_TEMPLATES_IMPL_H
#define PW_PUSHD_TEMPLATES_IMPL_H

#include "pushd/templates.h"

#define TEMPLATES_LOCALE_MAX 64	/* bytes of one, longer ones are cut */
#define TEMPLATES_TYPE_DEFAULT "default"

enum template_key {
	TEMPLATE_TITLE,
	TEMPLATE_TITLE_ELSE,
	TEMPLATE_BODY,
	TEMPLATE_BODY_ELSE,
	TEMPLATE_SOUND,
	TEMPLATE__COUNT
};

struct template_section {
	char *type;
	char *locale;	/* as template_locale() makes it */
	char *text[TEMPLATE__COUNT];	/* NULL: not given */
	int line[TEMPLATE__COUNT];	/* 0: built in */
};

/* Sorted by type and locale once all is read. */
struct templates {
	struct template_section *sections;
	size_t n;
};

/* "de_AT.UTF-8" -> "de-at". */
void template_locale(const char *locale, char out[TEMPLATES_LOCALE_MAX + 1]);
/* Over what is there. 0, or -errno with err as templates_load(). */
int templates_read_file(struct templates *t, const char *path,
			char err[TEMPLATES_ERR_MAX]) MUST_CHECK;
void templates_read_builtin(struct templates *t);

#endif
