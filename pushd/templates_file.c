/* The file of templates, through inih; and the built-in one. */
#include "pushd/templates_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <ini.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"

/* inih cuts what is longer, and takes the rest of a line for another one. Our
 * reader refuses it instead. */
#define LINE_MAX_BYTES 4096
#define SECTION_MAX_BYTES 49
#define FILE_MAX_BYTES (1024 * 1024)

static const char builtin[] =
	"[new_message]\n"
	"title = {senderName}\n"
	"body = {content}\n"
	"body_else = New message\n"
	"[new_match]\n"
	"title = It's mutual!\n"
	"body = {userName} likes you, too. Say hello!\n"
	"body_else = Somebody you like likes you, too. Say hello!\n"
	"[default]\n"
	"title = There is news for you\n"
	"body = Open the app to see it.\n"
	"sound = default\n";

static const char *const keys[TEMPLATE__COUNT] = {
	[TEMPLATE_TITLE] = "title", [TEMPLATE_TITLE_ELSE] = "title_else",
	[TEMPLATE_BODY] = "body",   [TEMPLATE_BODY_ELSE] = "body_else",
	[TEMPLATE_SOUND] = "sound",
};

struct reading {
	struct templates *t;
	const char *path;	/* NULL: built in */
	char *err;
	struct slice rest;
	int line;	/* the one handed out last */
	int error;
};

/* Returns what makes inih stop. */
static int PRINTF(2, 3) refuse(struct reading *r, const char *fmt, ...)
{
	char what[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(r->err, TEMPLATES_ERR_MAX, "%.100s:%d: %s", r->path, r->line,
		 what);
	r->error = -EINVAL;
	return 0;
}

static bool sound_line(struct reading *r, struct slice line)
{
	size_t start = 0;
	const char *end;

	if (memchr(line.p, '\0', line.n) != NULL)
		return refuse(r, "the line contains a NUL byte");
	if (!utf8_valid(line))
		return refuse(r, "the line is not UTF-8");
	while (start < line.n && strchr(" \t", line.p[start]) != NULL)
		start++;
	if (start == line.n || line.p[start] != '[')
		return true;
	end = memchr(line.p + start, ']', line.n - start);
	if (end != NULL && end - (line.p + start) - 1 > SECTION_MAX_BYTES)
		return refuse(r, "the section's name is longer than %d bytes",
			      SECTION_MAX_BYTES);
	return true;
}

static char *next_line(char *out, int room, void *arg)
{
	struct reading *r = arg;
	const char *end;
	size_t n;

	if (r->error != 0 || r->rest.n == 0)
		return NULL;
	end = memchr(r->rest.p, '\n', r->rest.n);
	n = end != NULL ? (size_t)(end - r->rest.p) + 1 : r->rest.n;
	r->line++;
	if (n >= (size_t)room) {
		refuse(r, "the line is too long");
		return NULL;
	}
	if (!sound_line(r, (struct slice){ r->rest.p, n }))
		return NULL;
	memcpy(out, r->rest.p, n);
	out[n] = '\0';
	r->rest.p += n;
	r->rest.n -= n;
	return out;
}

static struct template_section *section_of(struct templates *t,
					   const char *name)
{
	size_t n = strcspn(name, " \t");
	char locale[TEMPLATES_LOCALE_MAX + 1];
	struct template_section *s;

	template_locale(name + n + strspn(name + n, " \t"), locale);
	for (size_t i = 0; i < t->n; i++) {
		s = &t->sections[i];
		if (strlen(s->type) == n && memcmp(s->type, name, n) == 0 &&
		    strcmp(s->locale, locale) == 0)
			return s;
	}
	t->sections = mem_realloc(t->sections, (t->n + 1) * sizeof(*s));
	s = &t->sections[t->n++];
	*s = (struct template_section){ .type = mem_strndup(name, n),
					.locale = mem_strdup(locale) };
	return s;
}

/* A type, and perhaps a locale behind a space. */
static bool good_section(const char *name)
{
	const char *locale = name + strcspn(name, " \t");

	return locale > name &&
	       strpbrk(locale + strspn(locale, " \t"), " \t") == NULL;
}

/* NULL, or what is wrong with the text. */
static const char *wrong_braces(const char *text)
{
	while (*(text += strcspn(text, "{")) != '\0') {
		size_t n;

		if (*++text == '{') {
			text++;
			continue;
		}
		n = strcspn(text, "{} \t");
		if (text[n] != '}' || n == 0)
			return "\"{\" begins a {name}; a brace is \"{{\"";
		text += n + 1;
	}
	return NULL;
}

static int on_value(void *arg, const char *section, const char *key,
		    const char *text)
{
	struct reading *r = arg;
	struct template_section *s;
	const char *wrong = wrong_braces(text);
	size_t k = 0;

	if (*section == '\0')
		return refuse(r, "%.49s: outside of a section", key);
	if (!good_section(section))
		return refuse(r, "[%s]: not a type, and perhaps a locale",
			      section);
	while (k < TEMPLATE__COUNT && strcmp(keys[k], key) != 0)
		k++;
	if (k == TEMPLATE__COUNT)
		return refuse(r, "%.49s: unknown key", key);
	if (wrong != NULL && k != TEMPLATE_SOUND)
		return refuse(r, "%s: %s", key, wrong);
	s = section_of(r->t, section);
	if (s->line[k] != 0)
		return refuse(r, "%s: given twice, first on line %d", key,
			      s->line[k]);
	s->line[k] = r->path != NULL ? r->line : 0;
	free(s->text[k]);
	s->text[k] = mem_strdup(text);
	return 1;
}

static int read_text(struct reading *r)
{
	int bad;

	/* Debian builds inih with its options as variables. */
	ini_max_line = LINE_MAX_BYTES;
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_stop_on_first_error = true;
	bad = ini_parse_stream(next_line, r, on_value, r);
	if (bad != 0 && r->error == 0)
		refuse(r, "expected \"key = value\" or \"[type locale]\"");
	return r->error;
}

void templates_read_builtin(struct templates *t)
{
	struct reading r = { .t = t, .rest = { builtin, sizeof(builtin) - 1 } };

	if (read_text(&r) != 0)
		abort();
}

static int slurp(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "re");
	size_t n;
	int rc = 0;

	if (f == NULL)
		return -errno;
	do {
		buf_reserve(b, 16384);
		n = fread(b->p + b->len, 1, 16384, f);
		b->len += n;
	} while (n > 0 && b->len <= FILE_MAX_BYTES);
	if (ferror(f))
		rc = -errno;
	else if (b->len > FILE_MAX_BYTES)
		rc = -EFBIG;
	fclose(f);
	return rc;
}

int templates_read_file(struct templates *t, const char *path,
			char err[TEMPLATES_ERR_MAX])
{
	struct buf text = { 0 };
	struct reading r = { .t = t, .path = path, .err = err };
	int rc = slurp(path, &text);

	if (rc != 0) {
		snprintf(err, TEMPLATES_ERR_MAX, "%.150s: %s", path,
			 strerror(-rc));
	} else {
		r.rest = buf_slice(&text);
		rc = read_text(&r);
	}
	buf_free(&text);
	return rc;
}
