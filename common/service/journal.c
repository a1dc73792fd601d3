/* The lines have fields of their own for where they come from. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "common/service/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

static const char *program_now;
static bool settled;

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_there(const struct journal_entry *e, const char *name, size_t n)
{
	for (int i = 0; i < e->n; i++) {
		const struct iovec *v = &e->v[i];

		if (v->iov_len >= n && memcmp(v->iov_base, name, n) == 0)
			return true;
	}
	return false;
}

/* prefix is "" or "PW_". What does not fit is left out, and a second of a name: a
 * text in the line must not say who wrote it. */
static void add(struct journal_entry *e, const char *prefix, struct slice key,
		struct slice value)
{
	size_t nprefix = strlen(prefix);
	size_t n = nprefix + key.n + 1 + value.n;
	char *p = e->bytes + e->used;

	if (e->n == JOURNAL_FIELDS_MAX || n > sizeof(e->bytes) - e->used ||
	    nprefix + key.n > JOURNAL_NAME_MAX)
		return;
	memcpy(p, prefix, nprefix);
	p += nprefix;
	for (size_t i = 0; i < key.n; i++)
		*p++ = upper(key.p[i]);
	*p++ = '=';
	memcpy(p, value.p, value.n);
	p = e->bytes + e->used;
	if (is_there(e, p, n - value.n))
		return;
	e->v[e->n++] = (struct iovec){ .iov_base = p, .iov_len = n };
	e->used += n;
}

/* A key and its "=" at p: the key's length, or 0. */
static size_t key_length(const char *p, const char *end)
{
	const char *q = p;

	if (q == end || !is_letter(*q))
		return 0;
	while (q < end && (is_letter(*q) || is_digit(*q) || *q == '_'))
		q++;
	return q < end && *q == '=' ? (size_t)(q - p) : 0;
}

static const char *find(const char *p, const char *end, char c)
{
	const char *found = memchr(p, c, (size_t)(end - p));

	return found != NULL ? found : end;
}

static const char *last_quote(const char *p, const char *end)
{
	while (end > p && end[-1] != '"')
		end--;
	return end > p ? end - 1 : p;
}

/* Behind the next space. */
static const char *skip(const char *p, const char *end)
{
	p = find(p, end, ' ');
	return p < end ? p + 1 : end;
}

static void add_words(struct journal_entry *e, struct slice text)
{
	const char *p = text.p, *end = text.p + text.n;

	while (p < end) {
		size_t n = key_length(p, end);
		const char *value, *stop;

		if (n == 0) {
			p = skip(p, end);
			continue;
		}
		value = p + n + 1;
		stop = find(value, end, ' ');
		/* A text of others', with quotes of its own, is the last field. */
		if (value < end && *value == '"' && last_quote(value, end) > value) {
			stop = last_quote(value, end);
			value++;
		}
		add(e, "PW_", (struct slice){ p, n },
		    (struct slice){ value, (size_t)(stop - value) });
		p = skip(stop, end);
	}
}

static void add_instance(struct journal_entry *e, const char *who)
{
	static const char worker[] = "worker[";

	if (strncmp(who, worker, sizeof(worker) - 1) != 0)
		return;
	who += sizeof(worker) - 1;
	add(e, "PW_", SLICE("WORKER"), (struct slice){ who, strcspn(who, "]") });
}

void journal_entry(struct journal_entry *out, const char *program,
		   enum log_level level, const char *who, struct slice text)
{
	char priority[16];
	int n = snprintf(priority, sizeof(priority), "%d", (int)level);

	out->n = 0;
	out->used = 0;
	if (text.n > JOURNAL_BYTES_MAX / 2)
		text.n = JOURNAL_BYTES_MAX / 2;
	add(out, "", SLICE("MESSAGE"), text);
	add(out, "", SLICE("PRIORITY"), (struct slice){ priority, (size_t)n });
	add(out, "", SLICE("SYSLOG_IDENTIFIER"),
	    (struct slice){ program, strlen(program) });
	add(out, "PW_", SLICE("PROCESS"), (struct slice){ who, strlen(who) });
	add_instance(out, who);
	add_words(out, text);
}

/* With its priority, as systemd reads it (sd-daemon(3)). One write, as one line. */
static bool print_line(enum log_level level, const char *who, struct slice text)
{
	char head[64];
	int n = snprintf(head, sizeof(head), "<%d>%s: ", (int)level, who);
	const struct iovec v[] = {
		{ .iov_base = head, .iov_len = (size_t)n },
		{ .iov_base = (char *)(uintptr_t)text.p, .iov_len = text.n },
		{ .iov_base = (char[]){ "\n" }, .iov_len = 1 },
	};

	return writev(STDERR_FILENO, v, 3) != -1;
}

static bool send_line(enum log_level level, const char *who, struct slice text)
{
	struct journal_entry e;

	if (level == LOG_LVL_ERR && !settled)
		return print_line(level, who, text);
	journal_entry(&e, program_now, level, who, text);
	return sd_journal_sendv(e.v, e.n) == 0;
}

static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;

	return stream != NULL &&
	       sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
	       st.st_ino == ino;
}

void journal_settle(void)
{
	settled = true;
}

void journal_open(const char *program)
{
	/* sd_journal_sendv() says all is well when nobody is there. */
	if (!stderr_is_journal() ||
	    access("/run/systemd/journal/socket", W_OK) == -1)
		return;
	program_now = program;
	log_set_sink(send_line);
}
