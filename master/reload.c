#include "master/reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/conf/conf_change.h"
#include "common/conf/conf_show.h"
#include "common/service/notify.h"
#include "master/master.h"
#include "master/status/notices.h"
#include "master/status/status_line.h"
#include "master/workers/supervisor.h"
#include "master/upgrade/upgrade.h"

static void collect(void *arg, const char *key, enum conf_when when)
{
	json_t *changes = arg;

	json_array_append_new(json_object_get(changes, conf_when_name(when)),
			      json_string(key));
}

static json_t *compare(const struct conf *was, const struct conf *is)
{
	static const enum conf_when kinds[] = { CONF_LIVE, CONF_WORKER,
						CONF_RESTART, CONF_PUSHD };
	json_t *changes = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		json_object_set_new(changes, conf_when_name(kinds[i]),
				    json_array());
	conf_diff(was, is, collect, changes);
	return changes;
}

static void add_keys(struct buf *out, const json_t *changes,
		     enum conf_when when)
{
	const char *name = conf_when_name(when);
	const json_t *keys = json_object_get(changes, name);

	if (json_array_size(keys) == 0)
		return;
	buf_printf(out, " %s=", name);
	for (size_t i = 0; i < json_array_size(keys); i++)
		buf_printf(out, "%s%s", i > 0 ? "," : "",
			   json_string_value(json_array_get(keys, i)));
}

static void tell(const json_t *changes)
{
	struct buf keys = { 0 };

	add_keys(&keys, changes, CONF_LIVE);
	add_keys(&keys, changes, CONF_WORKER);
	add_keys(&keys, changes, CONF_RESTART);
	add_keys(&keys, changes, CONF_PUSHD);
	if (keys.len == 0)
		log_info("configuration read again: nothing has changed");
	else
		log_info("configuration read again, changes that count now (live), "
			 "in new workers, at a restart:%s", buf_str(&keys));
	buf_free(&keys);
}

/* What the master itself does with it. */
static void use(struct master *m, const struct conf *conf)
{
	enum log_level level = LOG_LVL_INFO;

	if (log_level_parse(conf->log_level, &level) == 0)
		log_configure(level);
	status_line_set_interval(m->status_line, conf->status_interval);
	notices_set_interval(m->notices, conf->status_interval);
}

/* A key that waits for new workers does so until they have come, however often
 * the file is read meanwhile. */
static void add_waiting(const struct master *m, json_t *changes)
{
	json_t *keys = json_object_get(changes, conf_when_name(CONF_WORKER));
	json_t *waiting = supervisor_waiting(m->sup), *n, *one;
	const char *key;
	size_t i;

	json_array_foreach(keys, i, one)
		json_object_del(waiting, json_string_value(one));
	json_object_foreach(waiting, key, n)
		json_array_append_new(keys, json_string(key));
	json_decref(waiting);
}

static int change(struct master *m, json_t **changes_out,
		  char err[CONF_ERR_MAX])
{
	struct conf *fresh = NULL;
	json_t *changes;
	int rc = conf_load(m->call->conf_path, CONF_FOR_SERVER, &fresh, err);

	if (rc != 0)
		return rc;
	changes = compare(m->conf, fresh);
	conf_keep(fresh, m->conf);
	rc = supervisor_set_conf(m->sup, fresh);
	if (rc != 0) {
		snprintf(err, CONF_ERR_MAX, "cannot hand it to the workers: %s",
			 strerror(-rc));
		conf_keep(fresh, m->conf);
		conf_free(&fresh);
		json_decref(changes);
		return rc;
	}
	use(m, fresh);
	conf_free(&m->conf);
	m->conf = fresh;
	*changes_out = changes;
	return 0;
}

int reload(struct master *m, json_t **changes_out, char err[CONF_ERR_MAX])
{
	bool started = supervisor_started(m->sup);
	int rc;

	if (supervisor_stopping(m->sup)) {
		snprintf(err, CONF_ERR_MAX, "the master is stopping");
		return -ESHUTDOWN;
	}
	if (upgrade_running(m->upgrade)) {
		snprintf(err, CONF_ERR_MAX, "an upgrade is running");
		log_warn("reload refused: %s", err);
		return -EBUSY;
	}
	/* Whoever is not ready yet would be, by the end of a reload. */
	if (started)
		notify_reloading();
	rc = change(m, changes_out, err);
	if (started)
		notify_ready();
	if (rc != 0) {
		log_err("reload refused, nothing has changed: %s", err);
	} else {
		tell(*changes_out);
		add_waiting(m, *changes_out);
	}
	return rc;
}
