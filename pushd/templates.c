#include "pushd/templates_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "pushd/json_text.h"

void template_locale(const char *locale, char out[TEMPLATES_LOCALE_MAX + 1])
{
	size_t n = strcspn(locale, ".@");	/* POSIX: charset, modifier */

	if (n > TEMPLATES_LOCALE_MAX)
		n = TEMPLATES_LOCALE_MAX;
	for (size_t i = 0; i < n; i++) {
		char c = locale[i];

		out[i] = c == '_' ? '-' :
			 c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	out[n] = '\0';
}

/* The next shorter range (RFC 4647, 3.4: a single letter goes with what it
 * announces). False: there was nothing left to cut. */
static bool shorter(char *locale)
{
	char *dash = strrchr(locale, '-');

	if (*locale == '\0')
		return false;
	if (dash == NULL)
		dash = locale;
	else if (dash - locale >= 2 && dash[-2] == '-')
		dash -= 2;
	*dash = '\0';
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct template_section *x = a, *y = b;
	int c = strcmp(x->type, y->type);

	return c != 0 ? c : strcmp(x->locale, y->locale);
}

static const char *of_type(const struct templates *t, const char *type,
			   const char *locale, enum template_key key)
{
	char range[TEMPLATES_LOCALE_MAX + 1];

	template_locale(locale, range);
	do {
		struct template_section want = { .type = (char *)type,
						 .locale = range };
		const struct template_section *s =
			bsearch(&want, t->sections, t->n, sizeof(want), compare);

		if (s != NULL && s->text[key] != NULL)
			return s->text[key];
	} while (shorter(range));
	return NULL;
}

/* Appends the member that stands at p, up to the brace. False: there is none, or
 * it is empty. */
static bool member_out(const char *p, size_t n, const json_t *data,
		       struct buf *out)
{
	size_t before = out->len;

	return json_text_plain(json_object_getn(data, p, n), out) &&
	       out->len > before;
}

/* False when a member was missing or empty. The file's reader has seen to it
 * that every brace is closed. */
static bool expand(const char *text, const json_t *data, struct buf *out)
{
	bool whole = true;

	for (;;) {
		size_t n = strcspn(text, "{");

		buf_add(out, text, n);
		text += n;
		if (*text == '\0')
			return whole;
		text++;
		if (*text == '{') {
			buf_addc(out, *text++);
			continue;
		}
		n = strcspn(text, "}");
		whole = member_out(text, n, data, out) && whole;
		text += n + 1;
	}
}

static void text_out(const struct templates *t, const char *type,
		     const char *locale, const json_t *data,
		     enum template_key key, enum template_key key_else,
		     struct buf *out)
{
	const char *text = of_type(t, type, locale, key), *otherwise;
	size_t before = out->len;

	if (text == NULL) {
		type = TEMPLATES_TYPE_DEFAULT;
		text = of_type(t, type, locale, key);	/* built in */
	}
	if (expand(text, data, out))
		return;
	otherwise = of_type(t, type, locale, key_else);
	if (otherwise == NULL)
		return;
	out->len = before;
	expand(otherwise, data, out);
}

void templates_text(const struct templates *t, const char *type,
		    const char *locale, const json_t *data, struct buf *title,
		    struct buf *body)
{
	text_out(t, type, locale, data, TEMPLATE_TITLE, TEMPLATE_TITLE_ELSE,
		 title);
	text_out(t, type, locale, data, TEMPLATE_BODY, TEMPLATE_BODY_ELSE, body);
}

const char *templates_sound(const struct templates *t, const char *type,
			    const char *locale)
{
	const char *sound = of_type(t, type, locale, TEMPLATE_SOUND);

	return sound != NULL ? sound :
		of_type(t, TEMPLATES_TYPE_DEFAULT, locale, TEMPLATE_SOUND);
}

int templates_load(const char *path, struct templates **out,
		   char err[TEMPLATES_ERR_MAX])
{
	struct templates *t = mem_zalloc(sizeof(*t));
	int rc = 0;

	templates_read_builtin(t);
	if (path != NULL && *path != '\0')
		rc = templates_read_file(t, path, err);
	if (rc != 0) {
		templates_free(&t);
		return rc;
	}
	qsort(t->sections, t->n, sizeof(*t->sections), compare);
	*out = t;
	return 0;
}

void templates_free(struct templates **tp)
{
	struct templates *t = *tp;

	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++) {
		free(t->sections[i].type);
		free(t->sections[i].locale);
		for (size_t k = 0; k < TEMPLATE__COUNT; k++)
			free(t->sections[i].text[k]);
	}
	free(t->sections);
	free(t);
	*tp = NULL;
}
