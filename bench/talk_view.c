#include "bench/talk_view.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"

static struct {
	const char *names[2];
	int width;
	bool colours;
	int64_t start_ms;
} view;

/* Columns, as far as counting code points tells. */
static int text_width(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void view_init(const char *name_a, const char *name_b)
{
	int a = text_width(name_a), b = text_width(name_b);

	view.names[0] = name_a;
	view.names[1] = name_b;
	view.width = a > b ? a : b;
	view.colours = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
	view.start_ms = clock_mono_ms();
	setvbuf(stdout, NULL, _IOLBF, 0);
}

/* Text that came from elsewhere may hold terminal escapes: C0, DEL, C1. */
static void hide_controls(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

void view_line(unsigned person, const char *mark, const char *fmt, ...)
{
	static const char *const colours[] = { "\033[36m", "\033[33m" };
	int64_t ms = clock_mono_ms() - view.start_ms;
	const char *name = view.names[person];
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	hide_controls(text);
	printf("%4lld.%03llds  %s%s%s%*s  %-2s %s\n", (long long)(ms / 1000),
	       (long long)(ms % 1000), view.colours ? colours[person] : "", name,
	       view.colours ? "\033[0m" : "", view.width - text_width(name), "",
	       mark, text);
}
