#include "pushd/templates.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/protocol/exact.h"

static char path[] = "/tmp/test_templates.XXXXXX";

/* From a file of these bytes. */
static int load(struct slice text, struct templates **out,
		char err[TEMPLATES_ERR_MAX])
{
	int fd, rc;

	snprintf(path, sizeof(path), "/tmp/test_templates.XXXXXX");
	fd = mkstemp(path);
	cr_assert(fd != -1 && write(fd, text.p, text.n) == (ssize_t)text.n);
	close(fd);
	rc = templates_load(path, out, err);
	unlink(path);
	return rc;
}

struct row {
	const char *type, *locale, *data, *title, *body, *sound;
};

static void check(const struct templates *t, const struct row *r, size_t i)
{
	json_t *data = json_loads(r->data, JSON_ALLOW_NUL, NULL);
	struct buf title = { 0 }, body = { 0 };

	cr_assert_not_null(data, "%s", r->data);
	buf_adds(&title, "a ");
	buf_adds(&body, "b ");
	templates_text(t, r->type, r->locale, data, &title, &body);
	cr_expect_str_eq(buf_str(&title) + 2, r->title, "row %zu: %s", i, title.p);
	cr_expect_str_eq(buf_str(&body) + 2, r->body, "row %zu: %s", i, body.p);
	cr_expect_str_eq(templates_sound(t, r->type, r->locale), r->sound,
			 "row %zu", i);
	buf_free(&title);
	buf_free(&body);
	json_decref(data);
}

Test(templates, built_in)
{
	static const struct row rows[] = {
		{ "new_message", "", "{\"senderName\":\"Anna\",\"content\":\"Hi\"}",
		  "Anna", "Hi", "default" },
		{ "new_message", "de-AT", "{\"senderName\":\"Anna\",\"content\":\"\"}",
		  "Anna", "New message", "default" },
		{ "new_message", "", "{}", "", "New message", "default" },
		{ "new_match", "", "{\"userName\":\"Anna\"}", "It's mutual!",
		  "Anna likes you, too. Say hello!", "default" },
		{ "new_match", "", "{\"userName\":null}", "It's mutual!",
		  "Somebody you like likes you, too. Say hello!", "default" },
		{ "like", "", "{}", "There is news for you",
		  "Open the app to see it.", "default" },
		{ "default", "fr", "{}", "There is news for you",
		  "Open the app to see it.", "default" },
	};
	struct templates *t = NULL;
	char err[TEMPLATES_ERR_MAX];

	cr_assert_eq(templates_load(NULL, &t, err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(t, &rows[i], i);
	templates_free(&t);
	cr_expect_null(t);
	templates_free(&t);
	cr_assert_eq(templates_load("", &t, err), 0);
	templates_free(&t);
}

static const char file[] =
	"\xef\xbb\xbf; comment\n"
	"[new_message]\n"
	"title = {{{senderName}}\n"
	"[new_message de]\n"
	"body = Neu: {content} ({n}, {yes}, {half}, {list}{none})\n"
	"body_else = Neu\n"
	"sound = klang.caf\r\n"
	"# the same, in another spelling of the locale\n"
	"[new_message  DE_at]\n"
	"title : Servus von {senderName}\n"
	"\n"
	"[new_message zh-Hant-TW]\n"
	"title = TW\n"
	"[new_message zh-Hant]\n"
	"body = Hant\n"
	"[like]\n"
	"title = {who} likes {whom}\n"
	"title_else = Somebody likes you\n"
	"[default]\n"
	"body =\n"
	"sound =\n"
	"[default fr]\n"
	"body = Bonjour";

Test(templates, file)
{
#define ANNA "{\"senderName\":\"Anna\",\"content\":\"Hi\",\"n\":5," \
	     "\"yes\":true,\"half\":0.5,\"list\":[1],\"none\":null}"
#define FULL "{\"senderName\":\"A\",\"content\":\"Hi\",\"n\":5,\"yes\":false," \
	     "\"half\":0.5,\"list\":\"x\",\"none\":0}"
	static const struct row rows[] = {
		{ "new_message", "", ANNA, "{Anna}", "Hi", "" },
		{ "new_message", "de", ANNA, "{Anna}", "Neu", "klang.caf" },
		{ "new_message", "de", FULL, "{A}",
		  "Neu: Hi (5, false, 0.5, x0)", "klang.caf" },
		{ "new_message", "de-AT", FULL, "Servus von A",
		  "Neu: Hi (5, false, 0.5, x0)", "klang.caf" },
		{ "new_message", "de_AT.UTF-8@euro", FULL, "Servus von A",
		  "Neu: Hi (5, false, 0.5, x0)", "klang.caf" },
		{ "new_message", "DE-CH", "{}", "{}", "Neu", "klang.caf" },
		{ "new_message", "den", ANNA, "{Anna}", "Hi", "" },
		{ "new_message", "C", ANNA, "{Anna}", "Hi", "" },
		{ "new_message", "zh-Hant-TW-x-app", ANNA, "TW", "Hant", "" },
		{ "new_message", "zh-Hant-HK", ANNA, "{Anna}", "Hant", "" },
		{ "new_message", "zh-TW", ANNA, "{Anna}", "Hi", "" },
		{ "new_match", "fr", "{\"userName\":\"B\"}", "It's mutual!",
		  "B likes you, too. Say hello!", "" },
		{ "like", "fr", "{\"who\":\"C\",\"whom\":\"D\"}", "C likes D", "Bonjour", "" },
		{ "like", "", "{\"whom\":\"D\"}", "Somebody likes you", "", "" },
		{ "like", "", "{}", "Somebody likes you", "", "" },
		{ "new_message ", "", "{}", "There is news for you", "", "" },
		{ "", "", "{}", "There is news for you", "", "" },
	};
	struct templates *t = NULL;
	char err[TEMPLATES_ERR_MAX] = "";

	cr_assert_eq(load(text(file), &t, err), 0, "%s", err);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(t, &rows[i], i);
	templates_free(&t);
}

Test(templates, bad_files)
{
	static const struct {
		const char *text, *err;	/* behind the path */
	} rows[] = {
		{ "title = x\n", ":1: title: outside of a section" },
		{ "[a]\n\nsubject = x\n", ":3: subject: unknown key" },
		{ "[a]\ntitle = x\nbody = y\ntitle = z\n",
		  ":4: title: given twice, first on line 2" },
		{ "[a de-AT]\ntitle = x\n[a de_at]\ntitle = x\n",
		  ":4: title: given twice, first on line 2" },
		{ "[a]\ntitle = {x\n",
		  ":2: title: \"{\" begins a {name}; a brace is \"{{\"" },
		{ "[a]\nbody = {}\n",
		  ":2: body: \"{\" begins a {name}; a brace is \"{{\"" },
		{ "[a]\nbody = {{{a b}\n",
		  ":2: body: \"{\" begins a {name}; a brace is \"{{\"" },
		{ "[a]\nbody = {a{b}\n",
		  ":2: body: \"{\" begins a {name}; a brace is \"{{\"" },
		{ "[a]\nbody_else = {\n",
		  ":2: body_else: \"{\" begins a {name}; a brace is \"{{\"" },
		{ "[a]\nno value\n",
		  ":2: expected \"key = value\" or \"[type locale]\"" },
		{ "[a\ntitle = x\n",
		  ":1: expected \"key = value\" or \"[type locale]\"" },
		{ "[a]\ntitle = \xc3\n", ":2: the line is not UTF-8" },
		{ "[ de]\ntitle = x\n",
		  ":2: [ de]: not a type, and perhaps a locale" },
		{ "[a de x]\ntitle = x\n",
		  ":2: [a de x]: not a type, and perhaps a locale" },
		{ "[0123456789012345678901234567890123456789012345678 9]\n",
		  ":1: the section's name is longer than 49 bytes" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct templates *t = NULL;
		char err[TEMPLATES_ERR_MAX] = "";

		cr_expect_eq(load(text(rows[i].text), &t, err), -EINVAL,
			     "%s", rows[i].text);
		cr_expect_eq(strncmp(err, path, strlen(path)), 0);
		cr_expect_str_eq(err + strlen(path), rows[i].err);
		cr_expect_null(t);
	}
}

Test(templates, odd_files)
{
	char err[TEMPLATES_ERR_MAX] = "";
	struct templates *t = NULL;
	struct buf b = { 0 };

	cr_expect_eq(templates_load("/nowhere/at all", &t, err), -ENOENT);
	cr_expect_str_eq(err, "/nowhere/at all: No such file or directory");
	cr_expect_eq(templates_load("/tmp", &t, err), -EISDIR);
	cr_expect_eq(load((struct slice){ "[a]\ntitle = \0\n", 14 }, &t, err),
		     -EINVAL);
	cr_expect(strstr(err, ":2: the line contains a NUL byte") != NULL);

	buf_adds(&b, "[a]\ntitle = ");
	while (b.len < 5000)
		buf_addc(&b, 'x');
	cr_expect_eq(load(buf_slice(&b), &t, err), -EINVAL);
	cr_expect(strstr(err, ":2: the line is too long") != NULL);
	while (b.len < (1 << 20) + 1)
		buf_addc(&b, '\n');
	cr_expect_eq(load(buf_slice(&b), &t, err), -EFBIG);
	buf_free(&b);
	cr_expect_null(t);
}

/* About what inih has room for: whole, or refused. */
Test(templates, long_lines)
{
	for (size_t n = 4080; n < 4110; n++) {
		char err[TEMPLATES_ERR_MAX] = "";
		struct buf b = { 0 }, title = { 0 }, body = { 0 };
		struct templates *t = NULL;
		int rc;

		buf_adds(&b, "[a]\nbody = ");
		while (b.len < n)
			buf_addc(&b, 'x');
		buf_adds(&b, "\ntitle = t\n");
		rc = load(buf_slice(&b), &t, err);
		cr_expect_eq(rc, n <= 4098 ? 0 : -EINVAL, "%zu: %s", n, err);
		if (rc == 0) {
			templates_text(t, "a", "", NULL, &title, &body);
			cr_expect_eq(body.len, n - 11);
		}
		templates_free(&t);
		buf_free(&title);
		buf_free(&body);
		buf_free(&b);
	}
}

/* Nothing is half read: what is cut off is refused, or is good by itself. */
Test(templates, every_truncation)
{
	for (size_t n = 0; n < sizeof(file) - 1; n++) {
		struct templates *t = NULL;
		char err[TEMPLATES_ERR_MAX] = "";
		int rc = load((struct slice){ file, n }, &t, err);

		cr_expect(rc == 0 || rc == -EINVAL);
		cr_expect_eq(rc == 0, t != NULL);
		cr_expect_eq(rc == 0, *err == '\0');
		templates_free(&t);
	}
}
