/* A table for people: columns as wide as their widest cell. */
#ifndef PW_CTL_TABLE_H
#define PW_CTL_TABLE_H

#include <stdio.h>

#include "common/base/base.h"
#include "ctl/colour.h"

struct table;

/* heads: one per column, NULL at the end; borrowed. One that begins with '>' is
 * of numbers, set to the right. */
struct table *table_new(const char *const *heads);
/* Fills the rows from left to right; a cell begins a new row when the one before
 * is full. */
void table_cell(struct table *t, const char *fmt, ...) PRINTF(2, 3);
/* Of the last cell. */
void table_colour(struct table *t, enum colour c);
size_t table_rows(const struct table *t);
/* With `indent` blanks before each line. Frees and NULLs *t. */
void table_print(struct table **t, FILE *f, int indent);

#endif
