/* The file's lines, through inih. */
#include "common/conf/conf_keys.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ini.h>

/* inih cuts a line to its buffer and takes the rest for another line. Our
 * reader refuses such a line instead; this holds the longest text of the table
 * with every byte written as \xHH. */
#define LINE_MAX_BYTES 66000
#define FILE_MAX_BYTES (1024 * 1024)
/* Of a pipe that is silent: whoever reads again has clients. */
#define PIPE_MS 5000

struct lines {
	struct conf_reading *rd;
	struct slice rest;
	int line;	/* the one handed out last */
	int error;
};

/* Returns what makes inih stop. */
static int PRINTF(2, 3) line_error(struct lines *s, const char *fmt, ...)
{
	char what[CONF_ERR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(s->rd->err, CONF_ERR_MAX, "%.100s:%d: %.140s", s->rd->path,
		 s->line, what);
	s->error = -EINVAL;
	return 0;
}

static char *next_line(char *out, int room, void *arg)
{
	struct lines *s = arg;
	const char *end;
	size_t n;

	if (s->error != 0 || s->rest.n == 0)
		return NULL;
	end = memchr(s->rest.p, '\n', s->rest.n);
	n = end != NULL ? (size_t)(end - s->rest.p) + 1 : s->rest.n;
	s->line++;
	if (n >= (size_t)room) {
		line_error(s, "the line is too long");
		return NULL;
	}
	if (memchr(s->rest.p, '\0', n) != NULL) {
		line_error(s, "the line contains a NUL byte");
		return NULL;
	}
	memcpy(out, s->rest.p, n);
	out[n] = '\0';
	s->rest.p += n;
	s->rest.n -= n;
	return out;
}

static bool known_section(const char *section)
{
	for (size_t i = 0; i < CONF__COUNT; i++)
		if (strcmp(conf_keys[i].section, section) == 0)
			return true;
	return false;
}

static int misplaced(struct lines *s, const char *section, const char *key,
		     const struct conf_key *k)
{
	if (k != NULL && *section == '\0')
		return line_error(s, "%s: belongs below the line [%s]", key,
				  k->section);
	if (k != NULL && strcmp(k->section, section) != 0)
		return line_error(s, "%s: belongs in section [%s]", key,
				  k->section);
	if (*section == '\0')
		return line_error(s, "%s: unknown key, and outside of a section",
				  key);
	if (!known_section(section))
		return line_error(s, "%s: unknown section [%s]", key, section);
	return line_error(s, "%s: unknown key in section [%s]", key, section);
}

static int on_value(void *arg, const char *section, const char *key,
		    const char *text)
{
	struct lines *s = arg;
	const struct conf_key *k = NULL;
	enum conf_id id;

	for (size_t i = 0; i < CONF__COUNT; i++)
		if (strcmp(conf_keys[i].key, key) == 0)
			k = &conf_keys[i];
	if (k == NULL || strcmp(k->section, section) != 0)
		return misplaced(s, section, key, k);
	id = (enum conf_id)(k - conf_keys);
	if (s->rd->origin[id].line != 0)
		return line_error(s, "%s: given twice, first on line %d", key,
				  s->rd->origin[id].line);
	s->rd->origin[id].line = s->line;
	s->error = conf_set(s->rd, id, text);
	return s->error == 0;
}

/* A worker's descriptor shares its offset with the other workers': pread. A
 * pipe (-c /dev/stdin) has none. */
static ssize_t read_at(int fd, char *p, size_t n, size_t at)
{
	struct pollfd pipe = { .fd = fd, .events = POLLIN };
	ssize_t got = pread(fd, p, n, (off_t)at);
	int ready;

	if (got != -1 || errno != ESPIPE)
		return got;
	ready = poll(&pipe, 1, PIPE_MS);
	if (ready == 0)
		errno = ETIMEDOUT;
	return ready == 1 ? read(fd, p, n) : -1;
}

static int slurp(struct conf_reading *rd, int fd, struct buf *b)
{
	for (;;) {
		ssize_t n;

		buf_reserve(b, 16384);
		n = read_at(fd, b->p + b->len, 16384, b->len);
		if (n == 0)
			return 0;
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n == -1) {
			int rc = -errno;

			snprintf(rd->err, CONF_ERR_MAX, "%s: %s", rd->path,
				 rc == -ETIMEDOUT ? "nothing comes from it" :
						    strerror(-rc));
			return rc;
		}
		b->len += (size_t)n;
		if (b->len > FILE_MAX_BYTES) {
			snprintf(rd->err, CONF_ERR_MAX,
				 "%s: too large for a configuration file",
				 rd->path);
			return -EFBIG;
		}
	}
}

int conf_read_file(struct conf_reading *rd, int fd)
{
	struct lines s = { .rd = rd };
	struct buf text = { 0 };
	int rc, bad;

	rc = slurp(rd, fd, &text);
	if (rc != 0)
		goto out;
	s.rest = buf_slice(&text);
	/* Debian builds inih with its options as variables. */
	ini_max_line = LINE_MAX_BYTES;
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_stop_on_first_error = true;
	bad = ini_parse_stream(next_line, &s, on_value, &s);
	if (bad != 0 && s.error == 0) {
		s.line = bad > 0 ? bad : s.line;
		line_error(&s, "expected \"key = value\" or \"[section]\"");
	}
	rc = s.error;
out:
	if (text.p != NULL)
		explicit_bzero(text.p, text.len);
	buf_free(&text);
	return rc;
}
