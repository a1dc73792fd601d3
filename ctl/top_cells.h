/* The columns of `top`: a table. */
#ifndef PW_CTL_TOP_CELLS_H
#define PW_CTL_TOP_CELLS_H

#include "ctl/colour.h"
#include "ctl/top_sample.h"

struct top_cell {
	char text[48];
	enum colour colour;
};

struct top_column {
	const char *group;	/* over this one and the one before; NULL */
	const char *head;
	int width;		/* of the widest it can be */
	int wide;		/* where there is room */
	int rank;		/* 0: always there; those of one rank together */
	bool left;
	void (*fill)(const struct top_worker *w, const struct top_rates *r,
		     int width, struct top_cell *out);
	const char *total;	/* in the line of all; NULL: as filled */
};

#define TOP_COLUMNS 16
#define TOP_RANKS 7
extern const struct top_column top_columns[TOP_COLUMNS];

enum colour top_state_colour(const char *state);
/* "1,234,567" */
struct top_text { char text[32]; };
struct top_text top_digits(int64_t n);
/* Never wider than width (4 or more): "1234", "123k", "1.2M"; "-" below 0. */
struct top_text top_count(double n, int width);
/* In five characters: "850us", "2.1ms", "35ms", "1.2s". */
struct top_text top_time(int64_t us);
/* In four: "812K", "123M", "1.2G". */
struct top_text top_bytes(int64_t n);

#endif
