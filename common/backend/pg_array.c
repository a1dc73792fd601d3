#include "common/backend/pg.h"
#include "common/base/buf.h"

/* Every element is quoted: then only '"' and '\' are special, and neither an
 * empty string nor the word NULL can be mistaken. */
void pg_array_add(struct buf *b, const char *s, size_t n)
{
	buf_addc(b, b->len == 0 ? '{' : ',');
	if (s == NULL) {
		buf_adds(b, "NULL");
		return;
	}
	buf_reserve(b, n + 2);
	buf_addc(b, '"');
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"' || s[i] == '\\')
			buf_addc(b, '\\');
		buf_addc(b, s[i]);
	}
	buf_addc(b, '"');
}

void pg_array_end(struct buf *b)
{
	if (b->len == 0)
		buf_addc(b, '{');
	buf_addc(b, '}');
	buf_str(b);
}
