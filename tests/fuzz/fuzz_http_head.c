/* http_head_parse(): where it sees a head's end does not depend on how the bytes
 * came in, and what it accepts, every other reader of HTTP frames alike. */
#include "common/protocol/http_head.h"

#include <ctype.h>

#include "tests/fuzz/fuzz.h"

static void check_inside(struct slice s, const char *in, long len)
{
	CHECK(s.p >= in && s.p + s.n <= in + len);
}

static void check_field(const struct http_field *f, const char *in, long len)
{
	check_inside(f->name, in, len);
	check_inside(f->value, in, len);
	CHECK(f->name.n > 0);
	for (size_t i = 0; i < f->name.n; i++)
		CHECK(isgraph((unsigned char)f->name.p[i]) && f->name.p[i] != ':');
	for (size_t i = 0; i < f->value.n; i++)
		CHECK(strchr("\r\n", f->value.p[i]) == NULL);
}

static void check_head(const struct http_head *h, const char *in, long len)
{
	size_t hosts, lengths, codings;

	CHECK(len >= 4 && memcmp(in + len - 4, "\r\n\r\n", 4) == 0);
	CHECK(len <= HTTP_HEAD_MAX);
	CHECK(h->nfields <= HTTP_FIELDS_MAX);
	check_inside(h->method, in, len);
	check_inside(h->target, in, len);
	check_inside(h->path, in, len);
	check_inside(h->query, in, len);
	CHECK(h->method.n > 0 && h->target.n > 0 && h->minor <= 1);
	for (size_t i = 0; i < h->nfields; i++)
		check_field(&h->fields[i], in, len);
	http_head_field(h, "host", &hosts);
	http_head_field(h, "Content-Length", &lengths);
	http_head_field(h, "Transfer-Encoding", &codings);
	CHECK(hosts <= 1 && (h->minor == 0 || hosts == 1));
	CHECK(lengths <= 1 && (lengths == 0 || codings == 0));
}

static void ask(const struct http_head *h)
{
	struct slice sid = http_query_get(h->query, "sid");

	if (sid.p != NULL)
		check_inside(sid, h->query.p, (long)h->query.n);
	(void)http_head_list_has(h, "Connection", "upgrade");
	(void)http_head_list_has(h, "Transfer-Encoding", "chunked");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *in = (const char *)data;
	struct http_head h, again;
	long len = http_head_parse(in, n, &h);
	size_t cut = chosen(data, n, n);
	long early = http_head_parse(in, cut, &again);

	CHECK(len <= (long)n && early <= (long)cut);
	/* what is decided on fewer bytes stays so with more */
	if (early > 0)
		CHECK(len == early);
	if (early < 0)
		CHECK(len < 0);
	if (len <= 0)
		return 0;
	if ((long)cut < len)
		CHECK(early == 0);
	check_head(&h, in, len);
	ask(&h);
	/* and does not look behind the end */
	CHECK(http_head_parse(in, (size_t)len, &again) == len);
	CHECK(again.nfields == h.nfields && same(again.path, h.path));
	return 0;
}
