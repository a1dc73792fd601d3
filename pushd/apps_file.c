#include "pushd/apps_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <ini.h>

#include "common/base/mem.h"

#define LINE_MAX_BYTES 2048

#define APP_KEY_NAME(key) [APP_##key] = #key,
const char *const app_key_names[APP__KEYS] = { APP_KEYS(APP_KEY_NAME) };
#undef APP_KEY_NAME

struct lines {
	const char *path;
	FILE *file;
	int line;	/* the one handed out last */
	struct app_texts texts;
	char *err;
	int error;
};

/* Returns what makes inih stop. */
static int PRINTF(2, 3) line_error(struct lines *s, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(s->err, APPS_ERR_MAX, "%.120s:%d: %s", s->path, s->line, what);
	s->error = -EINVAL;
	return 0;
}

/* inih keeps 49 bytes of a section's name and says nothing of one without keys:
 * the sections are ours. */
static void section(struct lines *s, const char *from, size_t n)
{
	struct app_texts *t = &s->texts;

	if (n == 0 || n > APP_NAME_MAX) {
		line_error(s, "the name of an app has 1 to %d bytes",
			   APP_NAME_MAX);
		return;
	}
	for (size_t i = 0; i < t->n; i++) {
		if (strlen(t->apps[i].name) == n &&
		    memcmp(t->apps[i].name, from, n) == 0) {
			line_error(s, "[%.*s]: given twice, first on line %d",
				   n < 64 ? (int)n : 64, from, t->apps[i].line);
			return;
		}
	}
	t->apps = mem_realloc(t->apps, (t->n + 1) * sizeof(*t->apps));
	t->apps[t->n++] = (struct app_text){ .name = mem_strndup(from, n),
					     .line = s->line };
}

static char *next_line(char *out, int room, void *arg)
{
	struct lines *s = arg;
	const char *p = out, *end;
	size_t n;

	if (s->error != 0 || fgets(out, room, s->file) == NULL)
		return NULL;
	s->line++;
	n = strlen(out);
	if ((n == 0 || out[n - 1] != '\n') && feof(s->file) == 0) {
		line_error(s, "the line is too long, or contains a NUL byte");
		return NULL;
	}
	if (s->line == 1 && strncmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	p += strspn(p, " \t\r\n\v\f");
	if (*p == '[') {
		end = strchr(p, ']');
		if (end != NULL)	/* else inih finds the fault */
			section(s, p + 1, (size_t)(end - p) - 1);
	}
	return s->error == 0 ? out : NULL;
}

static int on_value(void *arg, const char *name, const char *key,
		    const char *text)
{
	struct lines *s = arg;
	struct app_text *app;
	int k = 0;

	(void)name;	/* perhaps cut: the last one seen it is */
	if (s->texts.n == 0)
		return line_error(s, "%.40s: belongs below the line [app]", key);
	app = &s->texts.apps[s->texts.n - 1];
	while (k < APP__KEYS && strcmp(app_key_names[k], key) != 0)
		k++;
	if (k == APP__KEYS)
		return line_error(s, "%.40s: unknown key", key);
	if (app->keys[k].text != NULL)
		return line_error(s, "%s: given twice, first on line %d", key,
				  app->keys[k].line);
	if (*text == '\0')
		return line_error(s, "%s: is empty", key);
	if (*text == '"' || strstr(text, " ;") != NULL ||
	    strstr(text, " #") != NULL)
		return line_error(s, "%s: no quotes here, and comments have "
				  "lines of their own", key);
	app->keys[k].text = mem_strdup(text);
	app->keys[k].line = s->line;
	return 1;
}

int apps_file_read(const char *path, struct app_texts *out,
		   char err[APPS_ERR_MAX])
{
	struct lines s = { .path = path, .err = err };
	int bad;

	s.file = fopen(path, "re");
	if (s.file == NULL) {
		int rc = -errno;

		snprintf(err, APPS_ERR_MAX, "%.120s: %s", path, strerror(errno));
		return rc;
	}
	/* Debian builds inih with its options as variables. */
	ini_max_line = LINE_MAX_BYTES;
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_stop_on_first_error = true;
	bad = ini_parse_stream(next_line, &s, on_value, &s);
	if (bad != 0 && s.error == 0) {
		s.line = bad > 0 ? bad : s.line;
		line_error(&s, "expected \"key = value\" or \"[app]\"");
	}
	if (s.error == 0 && ferror(s.file) != 0) {
		snprintf(err, APPS_ERR_MAX, "%.120s: %s", path, strerror(EIO));
		s.error = -EIO;
	}
	fclose(s.file);
	if (s.error != 0)
		apps_file_clear(&s.texts);
	else
		*out = s.texts;
	return s.error;
}

void apps_file_clear(struct app_texts *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->apps[i].name);
		for (int k = 0; k < APP__KEYS; k++)
			free(t->apps[i].keys[k].text);
	}
	free(t->apps);
	*t = (struct app_texts){ 0 };
}
