#include "ctl/top_layout.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "ctl/answer.h"
#include "ctl/colour.h"
#include "ctl/top_cells.h"

#define GAP_MAX 4
#define WIDE 120
#define BACKENDS_INDENT 10	/* "backends: " */

struct page {
	const struct top_view *view;
	struct buf *out;
	size_t begin;		/* of the line, in out */
	int left;		/* of the line */
	int lines;		/* ended */
	int limit;		/* as many lines as may be; 0: any */
};

static bool room(const struct page *p)
{
	return p->limit == 0 || p->lines < p->limit;
}

/* Characters of UTF-8 up to `most`, in bytes; how many in *n. */
static size_t fitting(const char *s, int most, int *n)
{
	size_t i = 0;

	*n = 0;
	while (s[i] != '\0') {
		bool begins = ((unsigned char)s[i] & 0xc0) != 0x80;

		if (begins && *n == most)
			break;
		*n += begins;
		i++;
	}
	return i;
}

/* What does not fit is left out, and what comes behind it; only what begins a
 * line is cut. */
static void put(struct page *p, enum colour c, const char *fmt, ...)
	PRINTF(3, 4);
static void put(struct page *p, enum colour c, const char *fmt, ...)
{
	bool begun = p->left < p->view->columns;
	char text[512];
	bool coloured;
	va_list ap;
	size_t n;
	int shown;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = fitting(text, p->left, &shown);
	if (text[n] != '\0' && begun) {
		p->left = 0;
		return;
	}
	p->left -= shown;
	coloured = p->view->colour && c != COLOUR_NONE && n > 0;
	if (coloured)
		buf_adds(p->out, colour_code(c));
	buf_add(p->out, text, n);
	if (coloured)
		buf_adds(p->out, COLOUR_OFF);
}

/* One for which there is no room never was. */
static void end_line(struct page *p)
{
	p->left = p->view->columns;
	if (!room(p)) {
		p->out->len = p->begin;
		return;
	}
	while (p->out->len > p->begin && p->out->p[p->out->len - 1] == ' ')
		p->out->len--;
	buf_addc(p->out, '\n');
	p->begin = p->out->len;
	p->lines++;
}

/* --- the head --- */

static void put_title(struct page *p, const struct top_sample *s)
{
	int clock = (int)strlen(p->view->clock);
	bool all = s->ready == s->slots;

	put(p, COLOUR_HEAD, "pairwire %s on %s", s->version, s->node);
	put(p, COLOUR_NONE, ": ");
	put(p, top_state_colour(s->state), "%s", s->state);
	put(p, COLOUR_NONE, ", up %s", answer_span(s->uptime_ms).text);
	put(p, all ? COLOUR_NONE : COLOUR_BAD, ", %" PRId64 " of %" PRId64
	    " workers", s->ready, s->slots);
	if (clock > 0 && p->left > clock + 1)
		put(p, COLOUR_NONE, "%*s", p->left, p->view->clock);
	end_line(p);
}

static void put_clients(struct page *p, const struct top_sample *s,
			const struct top_worker *sum)
{
	put(p, COLOUR_NONE, "%s connections", top_digits(sum->connections).text);
	put(p, COLOUR_NONE, " (%s polling)", top_digits(sum->polling).text);
	put(p, COLOUR_NONE, ", %s users here", top_digits(sum->users).text);
	put(p, COLOUR_NONE, ", %s in the cluster", top_digits(s->online).text);
	end_line(p);
}

static void put_backend(struct page *p, const struct top_backend *b, bool first)
{
	enum colour c = b->workers == 0 ? COLOUR_WARN :
			b->up == b->workers ? COLOUR_GOOD : COLOUR_BAD;
	char state[64];

	if (b->workers == 0)
		snprintf(state, sizeof(state), "?");
	else if (b->up == b->workers || b->up == 0)
		snprintf(state, sizeof(state), b->up == 0 ? "DOWN" : "up");
	else
		snprintf(state, sizeof(state), "%" PRId64 "/%" PRId64, b->up,
			 b->workers);
	if (!first)
		put(p, COLOUR_NONE, ",");
	/* which is down must be seen: there is another line for them */
	if (!first && p->left < (int)(strlen(b->name) + strlen(state)) + 3) {
		end_line(p);
		put(p, COLOUR_NONE, "%*s", BACKENDS_INDENT - 1, "");
	}
	put(p, COLOUR_NONE, "%s%s ", first ? "" : " ", b->name);
	put(p, c, "%s", state);
}

static void put_backends(struct page *p, const struct top_sample *s)
{
	put(p, COLOUR_NONE, "backends: ");
	for (size_t i = 0; i < s->nbackends; i++)
		put_backend(p, &s->backends[i], i == 0);
	end_line(p);
}

/* Only when there is something to say. */
static void put_news(struct page *p, const struct top_sample *s)
{
	bool running = strcmp(s->upgrade, "running") == 0;
	bool known = strcmp(s->upgrade_to, "-") != 0;	/* the new one's version */
	const char *to = known ? " to " : "", *version = known ? s->upgrade_to : "";

	if (p->view->trouble != NULL) {
		put(p, COLOUR_BAD, "%s", p->view->trouble);
		end_line(p);
	}
	if (running) {
		put(p, COLOUR_WARN, "upgrade%s%s is running", to, version);
		end_line(p);
	} else if (strcmp(s->upgrade, "failed") == 0) {
		put(p, COLOUR_BAD, "upgrade%s%s failed: %s", to, version,
		    s->upgrade_why);
		end_line(p);
	}
}

/* --- the table --- */

struct columns {
	const struct top_column *of[TOP_COLUMNS];
	int width[TOP_COLUMNS];
	size_t n;
	int gap;
};

/* In the order of the table, those that matter most. */
static void choose(struct columns *c, int columns)
{
	bool wide = columns >= WIDE;
	int used = 0, limit = 0;

	for (int rank = 0; rank < TOP_RANKS; rank++) {
		int more = 0;

		for (size_t i = 0; i < TOP_COLUMNS; i++)
			if (top_columns[i].rank == rank)
				more += 1 + (wide ? top_columns[i].wide :
						    top_columns[i].width);
		if (used + more - 1 > columns)
			break;
		used += more;
		limit = rank + 1;
	}
	c->n = 0;
	for (size_t i = 0; i < TOP_COLUMNS; i++) {
		if (top_columns[i].rank >= limit)
			continue;
		c->width[c->n] = wide ? top_columns[i].wide :
					top_columns[i].width;
		c->of[c->n++] = &top_columns[i];
	}
	c->gap = c->n > 1 ? 1 + (columns - used + 1) / ((int)c->n - 1) : 1;
	if (c->gap > GAP_MAX)
		c->gap = GAP_MAX;
}

static void put_cell(struct page *p, const struct columns *c, size_t i,
		     enum colour colour, const char *text)
{
	int blanks = c->width[i] - (int)strlen(text);
	bool left = c->of[i]->left;

	put(p, COLOUR_NONE, "%*s", (i > 0 ? c->gap : 0) +
	    (left || blanks < 0 ? 0 : blanks), "");
	put(p, colour, "%s", text);
	if (left && blanks > 0)
		put(p, COLOUR_NONE, "%*s", blanks, "");
}

/* A group's name stands over its last column, to the left. */
static void put_heads(struct page *p, const struct columns *c)
{
	int blank = 0;

	for (size_t i = 0; i < c->n; i++) {
		const char *group = c->of[i]->group;

		blank += c->width[i] + (i > 0 ? c->gap : 0);
		if (group == NULL)
			continue;
		put(p, COLOUR_HEAD, "%*s", blank, group);
		blank = 0;
	}
	end_line(p);
	for (size_t i = 0; i < c->n; i++)
		put_cell(p, c, i, COLOUR_HEAD, c->of[i]->head);
	end_line(p);
}

static void put_row(struct page *p, const struct columns *c,
		    const struct top_worker *w, const struct top_rates *r,
		    bool total)
{
	for (size_t i = 0; i < c->n; i++) {
		struct top_cell cell = { "", COLOUR_NONE };

		c->of[i]->fill(w, r, c->width[i], &cell);
		if (total && c->of[i]->total != NULL)
			snprintf(cell.text, sizeof(cell.text), "%s",
				 c->of[i]->total);
		put_cell(p, c, i, total ? COLOUR_HEAD : cell.colour, cell.text);
	}
	end_line(p);
}

static size_t most_first(const struct page *p, const struct top_sample *s)
{
	size_t fits;

	if (p->limit == 0)
		return 0;
	if (!room(p))
		return s->nworkers > 0 ? s->nworkers - 1 : 0;
	fits = (size_t)(p->limit - p->lines);
	return s->nworkers > fits ? s->nworkers - fits : 0;
}

static void put_keys(struct page *p, const struct top_sample *s, size_t first,
		     size_t shown)
{
	while (p->lines < p->limit)
		end_line(p);
	p->limit++;
	put(p, COLOUR_HEAD, "q");
	put(p, COLOUR_NONE, " quit");
	if (shown > 0 && shown < s->nworkers) {
		put(p, COLOUR_HEAD, "   up down");
		put(p, COLOUR_NONE, " scroll (workers %zu to %zu of %zu)",
		    first + 1, first + shown, s->nworkers);
	}
	end_line(p);
}

size_t top_layout(const struct top_sample *before, const struct top_sample *now,
		  const struct top_view *view, struct buf *out)
{
	struct page p = { .view = view, .out = out, .left = view->columns };
	struct columns columns;
	struct top_worker sum;
	struct top_rates rates;
	size_t most, first, i;

	/* the last line tells the keys */
	p.limit = view->lines > 1 ? view->lines - view->keys : view->lines;
	choose(&columns, view->columns);
	top_total(before, now, &sum, &rates);
	put_title(&p, now);
	put_clients(&p, now, &sum);
	put_backends(&p, now);
	put_news(&p, now);
	end_line(&p);
	put_heads(&p, &columns);
	put_row(&p, &columns, &sum, &rates, true);
	most = most_first(&p, now);
	first = view->first < most ? view->first : most;
	for (i = first; i < now->nworkers && room(&p); i++) {
		top_rates_of(before, now, &now->workers[i], &rates);
		put_row(&p, &columns, &now->workers[i], &rates, false);
	}
	if (view->keys && view->lines > 1)
		put_keys(&p, now, first, i - first);
	return most;
}
