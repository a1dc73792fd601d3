/* Counters, gauges and histograms by name: the sum over the pages of several
 * worker instances, whose binaries need not be of one version. */
#ifndef PW_TALLY_H
#define PW_TALLY_H

#include <jansson.h>

#include "common/ipc/stats.h"

struct members;

/* Zero-initialised is empty and owns nothing. Of items, only name and help are
 * not as in the page: they are the tally's. Percentiles cannot be added: they
 * are those of the last page. */
struct tally {
	struct stats_item *items;
	size_t n;
};

enum tally_what {
	TALLY_COUNTS,	/* what outlives its instance: counters and histograms */
	TALLY_LOAD,	/* and gauges, but for the *_up ones: of one that drains it
			 * matters who is there, not what it reaches */
	TALLY_ALL,
};
void tally_add_page(struct tally *t, const struct stats_view *page,
		    enum tally_what what);
void tally_add(struct tally *t, const struct tally *more);
/* By name; NULL: none. It is looked for at `hint` first. */
const struct stats_item *tally_find(const struct tally *t, const char *name,
				    size_t hint);
/* Of a counter or gauge; 0 when there is none. */
int64_t tally_value(const struct tally *t, const char *name);
void tally_free(struct tally *t);	/* empty afterwards */

/* For another master: an array, the caller's. It may have other bounds for its
 * histograms than we; what it cannot know of ours is counted as slow. */
json_t *tally_save(const struct tally *t);
/* Into an empty one, from m's array of that name. */
void tally_load(struct tally *t, const struct members *m, const char *name);

/* Its value is about the whole cluster (stats_table.h). */
bool tally_is_cluster(const struct stats_item *it);

#endif
