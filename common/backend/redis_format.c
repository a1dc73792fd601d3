#include "common/backend/redis_conn.h"

/* "*3\r\n", "$128\r\n": no printf, every command comes through here. */
static void add_number(struct buf *b, char kind, size_t n)
{
	char tmp[24];
	char *p = tmp + sizeof(tmp);

	*--p = '\n';
	*--p = '\r';
	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	*--p = kind;
	buf_add(b, p, (size_t)(tmp + sizeof(tmp) - p));
}

void redis_format(struct buf *b, int argc, const struct slice *argv)
{
	add_number(b, '*', (size_t)argc);
	for (int i = 0; i < argc; i++) {
		add_number(b, '$', argv[i].n);
		buf_add(b, argv[i].p, argv[i].n);
		buf_add(b, "\r\n", 2);
	}
}
