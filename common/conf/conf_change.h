/* One configuration after another: what a reload changes. */
#ifndef PW_CONF_CHANGE_H
#define PW_CONF_CHANGE_H

#include "common/conf/conf.h"

/* Told of each key that differs, in the table's order. One that was made of
 * others in both (conf_load()) is not told of: those are. */
typedef void conf_changed(void *arg, const char *key, enum conf_when when);
void conf_diff(const struct conf *was, const struct conf *is, conf_changed *fn,
	       void *arg);

/* The same of keys that count in new workers only; was is a worker's (conf_read_fd()),
 * which does not tell what was made of others: what is so in `is` is left out. */
void conf_diff_worker(const struct conf *was, const struct conf *is,
		      conf_changed *fn, void *arg);

/* fresh gets was's values of RESTART keys, and what is made of them: what counts
 * once was is gone. They change places: who borrowed such a text of was finds it
 * in fresh, and a second call undoes the first. */
void conf_keep(struct conf *fresh, struct conf *was);
/* The values of all LIVE keys change places, the others stay: what a process
 * that goes on takes of a configuration. */
void conf_take_live(struct conf *into, struct conf *from);

#endif
