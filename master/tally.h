/* Counters, gauges and histograms by name: the sum over the pages of several
 * worker instances, whose binaries need not be of one version. */
#ifndef PW_TALLY_H
#define PW_TALLY_H

#include "common/ipc/stats.h"

/* Zero-initialised is empty and owns nothing. Of items, only name and help are
 * not as in the page: they are the tally's. Percentiles cannot be added: they
 * are those of the last page. */
struct tally {
	struct stats_item *items;
	size_t n;
};

/* gauges false: only what outlives its instance, counters and histograms. */
void tally_add_page(struct tally *t, const struct stats_view *page, bool gauges);
void tally_add(struct tally *t, const struct tally *more);
/* By name; NULL: none. It is looked for at `hint` first. */
const struct stats_item *tally_find(const struct tally *t, const char *name,
				    size_t hint);
/* Of a counter or gauge; 0 when there is none. */
int64_t tally_value(const struct tally *t, const char *name);
void tally_free(struct tally *t);	/* empty afterwards */

/* Its value is about the whole cluster (stats_table.h). */
bool tally_is_cluster(const struct stats_item *it);

#endif
