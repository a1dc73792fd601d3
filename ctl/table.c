#include "config.h"	/* vasprintf */

#include "ctl/table.h"

#include <stdarg.h>
#include <stdlib.h>

#include "common/base/mem.h"

struct cell {
	char *text;
	enum colour colour;
};

struct table {
	const char *const *heads;
	size_t columns;
	struct cell *cells;
	size_t n;
};

struct table *table_new(const char *const *heads)
{
	struct table *t = mem_zalloc(sizeof(*t));

	t->heads = heads;
	while (heads[t->columns] != NULL)
		t->columns++;
	return t;
}

void table_cell(struct table *t, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		text = mem_strdup("?");
	va_end(ap);
	if ((t->n & (t->n - 1)) == 0)
		t->cells = mem_realloc(t->cells, (t->n > 0 ? 2 * t->n : 1) *
						 sizeof(*t->cells));
	t->cells[t->n++] = (struct cell){ text, COLOUR_NONE };
}

void table_colour(struct table *t, enum colour c)
{
	t->cells[t->n - 1].colour = c;
}

size_t table_rows(const struct table *t)
{
	return (t->n + t->columns - 1) / t->columns;
}

/* Characters, of UTF-8. */
static int width_of(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static bool is_number(const struct table *t, size_t column)
{
	return t->heads[column][0] == '>';
}

static int column_width(const struct table *t, size_t column)
{
	int width = width_of(t->heads[column]) - is_number(t, column);

	for (size_t i = column; i < t->n; i += t->columns) {
		int n = width_of(t->cells[i].text);

		width = n > width ? n : width;
	}
	return width;
}

static void put_cell(const struct table *t, FILE *f, size_t column, int width,
		     const struct cell *c)
{
	int blanks = width - width_of(c->text);

	fprintf(f, "%s%*s%s%s%s", column > 0 ? "  " : "",
		is_number(t, column) ? blanks : 0, "", colour_on(f, c->colour),
		c->text, colour_off(f, c->colour));
	if (!is_number(t, column) && column + 1 < t->columns)
		fprintf(f, "%*s", blanks, "");
}

void table_print(struct table **tp, FILE *f, int indent)
{
	struct table *t = *tp;
	int *width = mem_zalloc(t->columns * sizeof(*width));

	while (t->n % t->columns != 0)
		table_cell(t, "%s", "");
	for (size_t c = 0; c < t->columns; c++) {
		struct cell head = {
			(char *)(uintptr_t)(t->heads[c] + is_number(t, c)),
			COLOUR_HEAD
		};

		width[c] = column_width(t, c);
		fprintf(f, "%*s", c == 0 ? indent : 0, "");
		put_cell(t, f, c, width[c], &head);
	}
	fputc('\n', f);
	for (size_t i = 0; i < t->n; i++) {
		size_t c = i % t->columns;

		fprintf(f, "%*s", c == 0 ? indent : 0, "");
		put_cell(t, f, c, width[c], &t->cells[i]);
		if (c + 1 == t->columns)
			fputc('\n', f);
		free(t->cells[i].text);
	}
	free(width);
	free(t->cells);
	free(t);
	*tp = NULL;
}
