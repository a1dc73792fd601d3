#define _GNU_SOURCE	/* memmem */
#include "common/protocol/http_head.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define CONTENT_LENGTH_DIGITS 18	/* fits an int64_t */

enum {
	CH_TOKEN = 1,	/* RFC 9110 5.6.2 tchar */
	CH_TARGET = 2,	/* visible ASCII but '#' */
	CH_VALUE = 4,	/* field value: visible, SP, HTAB, obs-text */
	CH_HOST = 8,	/* RFC 3986 host and port, without percent checks */
	CH_DIGIT = 16,
};

static unsigned char classes[256];

__attribute__((constructor)) static void classes_init(void)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";
	static const char host_marks[] = "-._~:[]!$&'()*+,;=%";

	for (unsigned c = 0; c < 256; c++) {
		bool digit = c >= '0' && c <= '9';
		bool alnum = digit || (c >= 'a' && c <= 'z') ||
			     (c >= 'A' && c <= 'Z');
		unsigned char k = 0;

		if (c != 0 && (alnum || strchr(marks, (int)c) != NULL))
			k |= CH_TOKEN;
		if (c > 0x20 && c < 0x7f && c != '#')
			k |= CH_TARGET;
		if (c == '\t' || (c >= 0x20 && c != 0x7f))
			k |= CH_VALUE;
		if (c != 0 && (alnum || strchr(host_marks, (int)c) != NULL))
			k |= CH_HOST;
		if (digit)
			k |= CH_DIGIT;
		classes[c] = k;
	}
}

/* Length of the run of bytes of that class. */
static size_t span(struct slice s, unsigned char class)
{
	size_t i = 0;

	while (i < s.n && (classes[(unsigned char)s.p[i]] & class) != 0)
		i++;
	return i;
}

static struct slice skip(struct slice s, size_t n)
{
	return (struct slice){ s.p + n, s.n - n };
}

static bool equal_nocase(struct slice s, const char *text)
{
	return s.n == strlen(text) && strncasecmp(s.p, text, s.n) == 0;
}

static struct slice trim(struct slice s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = skip(s, 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* Origin form, "*" for OPTIONS, or absolute form (RFC 9112 3.2): out->path and
 * out->query. */
static int split_target(struct http_head *out)
{
	struct slice t = out->target;
	const char *mark;

	if (t.n >= 7 && strncasecmp(t.p, "http://", 7) == 0)
		t = skip(t, 7);
	else if (t.n >= 8 && strncasecmp(t.p, "https://", 8) == 0)
		t = skip(t, 8);
	if (t.p != out->target.p) {
		size_t authority = 0;

		while (authority < t.n && t.p[authority] != '/' &&
		       t.p[authority] != '?')
			authority++;
		if (authority == 0)
			return -EBADMSG;
		t = skip(t, authority);
	} else if (t.p[0] != '/' &&
		   !(t.n == 1 && t.p[0] == '*' &&
		     equal_nocase(out->method, "OPTIONS"))) {
		return -EBADMSG;
	}
	mark = memchr(t.p, '?', t.n);
	out->path = t;
	out->query = skip(t, t.n);
	if (mark != NULL) {
		out->path.n = (size_t)(mark - t.p);
		out->query = skip(t, out->path.n + 1);
	}
	return 0;
}

static int parse_request_line(struct slice line, struct http_head *out)
{
	size_t n = span(line, CH_TOKEN);

	if (n == 0 || n == line.n || line.p[n] != ' ')
		return -EBADMSG;
	out->method = (struct slice){ line.p, n };
	line = skip(line, n + 1);
	n = span(line, CH_TARGET);
	if (n == 0 || n == line.n || line.p[n] != ' ')
		return -EBADMSG;
	out->target = (struct slice){ line.p, n };
	line = skip(line, n + 1);
	if (line.n != 8 || memcmp(line.p, "HTTP/1.", 7) != 0 ||
	    (line.p[7] != '0' && line.p[7] != '1'))
		return -EBADMSG;
	out->minor = (unsigned)(line.p[7] - '0');
	return split_target(out);
}

static int parse_field(struct slice line, struct http_field *out)
{
	size_t n = span(line, CH_TOKEN);

	/* n == 0 is also a folded line */
	if (n == 0 || n == line.n || line.p[n] != ':')
		return -EBADMSG;
	out->name = (struct slice){ line.p, n };
	line = skip(line, n + 1);
	if (span(line, CH_VALUE) != line.n)
		return -EBADMSG;
	out->value = trim(line);
	return 0;
}

/* What makes two readers of the same bytes disagree on where the request ends
 * or whom it is for is refused here, once for all callers (RFC 9112 3.2, 6.3). */
static int check_fields(const struct http_head *h)
{
	size_t hosts, lengths, codings;
	struct slice host = http_head_field(h, "Host", &hosts);
	struct slice length = http_head_field(h, "Content-Length", &lengths);

	http_head_field(h, "Transfer-Encoding", &codings);
	if (hosts > 1 || (hosts == 0 && h->minor == 1))
		return -EBADMSG;
	if (hosts == 1 && span(host, CH_HOST) != host.n)
		return -EBADMSG;
	if (lengths > 1 || (lengths == 1 && codings > 0))
		return -EBADMSG;
	if (lengths == 1 && (length.n == 0 || length.n > CONTENT_LENGTH_DIGITS ||
			     span(length, CH_DIGIT) != length.n))
		return -EBADMSG;
	if (codings > 0 && h->minor == 0)
		return -EBADMSG;
	return 0;
}

/* No end of the head yet: refuse at once what can no longer become one, so that
 * a peer that speaks something else does not wait for a timeout. */
static long incomplete(const char *in, size_t n)
{
	struct slice s = { in, n };
	size_t method = span(s, CH_TOKEN);
	const char *lf = in;

	if (n > 0 && (method == 0 || (method < n && in[method] != ' ')))
		return -EBADMSG;
	if (n > 0 && memchr(in, '\0', n) != NULL)
		return -EBADMSG;
	while ((lf = memchr(lf, '\n', (size_t)(in + n - lf))) != NULL) {
		if (lf == in || lf[-1] != '\r')
			return -EBADMSG;
		lf++;
	}
	return n >= HTTP_HEAD_MAX ? -E2BIG : 0;
}

/* The line at s without its CRLF; s moves behind it. The caller has seen to it
 * that there is a CRLF. */
static struct slice take_line(struct slice *s)
{
	const char *cr = memmem(s->p, s->n, "\r\n", 2);
	struct slice line = { s->p, (size_t)(cr - s->p) };

	*s = skip(*s, line.n + 2);
	return line;
}

long http_head_parse(const char *in, size_t n, struct http_head *out)
{
	size_t seen = n < HTTP_HEAD_MAX ? n : HTTP_HEAD_MAX;
	const char *end = seen > 0 ? memmem(in, seen, "\r\n\r\n", 4) : NULL;
	struct http_head h;
	struct slice rest;

	if (end == NULL)
		return incomplete(in, seen);
	h.nfields = 0;
	rest = (struct slice){ in, (size_t)(end - in) + 2 };
	if (parse_request_line(take_line(&rest), &h) != 0)
		return -EBADMSG;
	while (rest.n > 0) {
		struct slice line = take_line(&rest);

		if (h.nfields == HTTP_FIELDS_MAX)
			return -E2BIG;
		if (parse_field(line, &h.fields[h.nfields]) != 0)
			return -EBADMSG;
		h.nfields++;
	}
	if (check_fields(&h) != 0)
		return -EBADMSG;
	memcpy(out, &h, offsetof(struct http_head, fields));
	memcpy(out->fields, h.fields, h.nfields * sizeof(h.fields[0]));
	out->nfields = h.nfields;
	return (long)(end - in) + 4;
}

struct slice http_head_field(const struct http_head *h, const char *name,
			     size_t *count)
{
	struct slice first = { 0 };
	size_t found = 0;

	for (size_t i = 0; i < h->nfields; i++) {
		if (!equal_nocase(h->fields[i].name, name))
			continue;
		if (found++ == 0)
			first = h->fields[i].value;
	}
	if (count != NULL)
		*count = found;
	return first;
}

static bool list_has(struct slice list, const char *token)
{
	for (;;) {
		const char *comma =
			list.n > 0 ? memchr(list.p, ',', list.n) : NULL;
		struct slice item = list;

		if (comma != NULL)
			item.n = (size_t)(comma - list.p);
		if (equal_nocase(trim(item), token))
			return true;
		if (comma == NULL)
			return false;
		list = skip(list, item.n + 1);
	}
}

bool http_head_list_has(const struct http_head *h, const char *name,
			const char *token)
{
	for (size_t i = 0; i < h->nfields; i++) {
		if (equal_nocase(h->fields[i].name, name) &&
		    list_has(h->fields[i].value, token))
			return true;
	}
	return false;
}

struct slice http_query_get(struct slice query, const char *key)
{
	size_t key_len = strlen(key);

	while (query.n > 0) {
		const char *amp = memchr(query.p, '&', query.n);
		struct slice pair = query;

		if (amp != NULL)
			pair.n = (size_t)(amp - query.p);
		query = skip(query, pair.n + (amp != NULL));
		if (pair.n < key_len || memcmp(pair.p, key, key_len) != 0)
			continue;
		if (pair.n == key_len)
			return skip(pair, key_len);
		if (pair.p[key_len] == '=')
			return skip(pair, key_len + 1);
	}
	return (struct slice){ 0 };
}
