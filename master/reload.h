/* Reading the configuration again: SIGHUP, or the command. A file with a mistake
 * changes nothing. Else LIVE keys count at once, here and in the workers; WORKER
 * keys in workers started from now on; RESTART keys keep their values. Log levels
 * are again as configured. */
#ifndef PW_RELOAD_H
#define PW_RELOAD_H

#include <jansson.h>

#include "common/conf/conf.h"

struct master;

/* changes: the names of the keys that changed by when they count, for the caller:
 *   {"live": [], "workers": [], "restart": [], "pushd": []}
 * "workers" has those, too, that workers have not got since an earlier reload.
 * 0; or -errno with why in err (conf_load()), also when the master stops or an
 * upgrade runs. */
int reload(struct master *m, json_t **changes_out, char err[CONF_ERR_MAX])
	MUST_CHECK;

#endif
