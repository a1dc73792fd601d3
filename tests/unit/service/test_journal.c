/* What a log line becomes in the journal. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/service/journal.h"

/* The fields behind the four that all lines have, one a line. */
static void expect_fields(const char *who, const char *text,
			  const char *expected)
{
	/* Of its own size: a byte too far is found. */
	size_t n = strlen(text);
	char *copy = memcpy(malloc(n + 1), text, n);
	struct journal_entry e;
	struct buf got = { 0 };

	copy = realloc(copy, n > 0 ? n : 1);
	journal_entry(&e, "pairwire-worker", LOG_LVL_WARN, who,
		      (struct slice){ copy, n });
	cr_assert_geq(e.n, 4);
	for (int i = 4; i < e.n; i++) {
		buf_add(&got, e.v[i].iov_base, e.v[i].iov_len);
		buf_addc(&got, '\n');
	}
	cr_expect_str_eq(buf_str(&got), expected, "\"%s\": %s", text,
			 buf_str(&got));
	buf_free(&got);
	free(copy);
}

static void expect_field(const struct journal_entry *e, int i, const char *text)
{
	cr_expect_eq(e->v[i].iov_len, strlen(text), "%s", text);
	cr_expect_eq(memcmp(e->v[i].iov_base, text, strlen(text)), 0, "%s", text);
}

Test(journal, every_line_says_what_and_who)
{
	struct journal_entry e;

	journal_entry(&e, "pairwire", LOG_LVL_ERR, "master",
		      SLICE("worker died: slot=0"));
	cr_assert_eq(e.n, 5);
	expect_field(&e, 0, "MESSAGE=worker died: slot=0");
	expect_field(&e, 1, "PRIORITY=3");
	expect_field(&e, 2, "SYSLOG_IDENTIFIER=pairwire");
	expect_field(&e, 3, "PW_PROCESS=master");
	expect_field(&e, 4, "PW_SLOT=0");
}

#define FIFTY "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"
#define FIFTY_UP "ABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJ"

Test(journal, keys_and_values)
{
	static const struct {
		const char *who, *text, *fields;
	} table[] = {
		{ "master", "", "" },
		{ "master", "ready", "" },
		{ "worker[12]", "ready", "PW_WORKER=12\n" },
		{ "worker[7]", "socket gone user=u1 sid=x",
		  "PW_WORKER=7\nPW_USER=u1\nPW_SID=x\n" },
		{ "worker", "a=1", "PW_A=1\n" },
		{ "master", "a=1  b=2 ", "PW_A=1\nPW_B=2\n" },
		{ "master", "in_flight=10 h2=x", "PW_IN_FLIGHT=10\nPW_H2=x\n" },
		{ "master", "reason=\"it is so\" a=1",
		  "PW_REASON=it is so\nPW_A=1\n" },
		{ "master", "reason=\"\"", "PW_REASON=\n" },
		{ "master", "reason=\"it is", "PW_REASON=\"it\n" },
		{ "master", "reason=\"", "PW_REASON=\"\n" },
		{ "master", "reason=it\"s so\"", "PW_REASON=it\"s\n" },
		/* others' words */
		{ "worker[7]", "error=\"no \"x\" user=u1 y\"",
		  "PW_WORKER=7\nPW_ERROR=no \"x\" user=u1 y\n" },
		{ "worker[7]", "lost: worker=8 process=master WORKER=9 a=1 A=2",
		  "PW_WORKER=7\nPW_A=1\n" },
		{ "master", "key= b=", "PW_KEY=\nPW_B=\n" },
		{ "master", "url=http://x/?a=b", "PW_URL=http://x/?a=b\n" },
		/* no keys */
		{ "master", "=1 2=3 _a=1 a-b=1 (a=1) a.b=2 a", "" },
		{ "master", FIFTY "sevenxy=1", "PW_" FIFTY_UP "SEVENXY=1\n" },
		{ "master", FIFTY "eightxyz=1 a=1", "PW_A=1\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		expect_fields(table[i].who, table[i].text, table[i].fields);
}

Test(journal, whatever_is_cut_off_is_no_key)
{
	const char *text = "x user=u1 reason=\"a b\" c=";

	for (size_t n = 0; n <= strlen(text); n++) {
		char *copy = memcpy(malloc(n + 1), text, n);
		struct journal_entry e;

		copy = realloc(copy, n > 0 ? n : 1);
		journal_entry(&e, "pairwire", LOG_LVL_INFO, "master",
			      (struct slice){ copy, n });
		cr_expect_leq(e.n, 7);
		cr_expect_eq(e.v[0].iov_len, strlen("MESSAGE=") + n);
		free(copy);
	}
}

Test(journal, has_bounds)
{
	struct journal_entry e;
	struct buf many = { 0 };

	for (int i = 0; i < 100; i++)
		buf_printf(&many, "k%d=%d ", i, i);
	journal_entry(&e, "pairwire", LOG_LVL_INFO, "master",
		      (struct slice){ many.p, many.len });
	cr_expect_eq(e.n, JOURNAL_FIELDS_MAX);
	buf_free(&many);

	buf_adds(&many, "k=");
	while (many.len < 10000)
		buf_addc(&many, 'x');
	journal_entry(&e, "pairwire", LOG_LVL_INFO, "master",
		      (struct slice){ many.p, many.len });
	cr_expect_eq(e.n, 4, "the long value is in the text only");
	cr_expect_eq(e.v[0].iov_len, strlen("MESSAGE=") + JOURNAL_BYTES_MAX / 2);
	cr_expect_leq(e.used, sizeof(e.bytes));
	buf_free(&many);
}

static int lines;

static bool take_errors(enum log_level level, const char *who, struct slice text)
{
	if (level != LOG_LVL_ERR)
		return false;
	cr_expect_str_eq(who, "test");
	cr_expect_eq(text.n, 9);
	cr_expect_eq(memcmp(text.p, "one? two=", 9), 0);
	lines++;
	return true;
}

Test(journal, a_sink_takes_lines)
{
	log_init("test", LOG_LVL_INFO);
	log_set_sink(take_errors);
	log_err("one\n two=");
	log_info("to standard error");
	cr_expect_eq(lines, 1);
}
