#include "config.h"

#include "master/upgrade/succession.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/service/admin.h"
#include "common/service/listener.h"
#include "master/status/explain.h"
#include "master/upgrade/inheritance.h"
#include "master/master.h"
#include "master/members.h"
#include "master/status/status.h"
#include "master/workers/supervisor.h"

static json_t *save_conf(const struct conf *conf)
{
	json_t *values = json_object();
	const char *key;

	for (size_t i = 0; (key = conf_restart_key(i)) != NULL; i++) {
		struct buf text = { 0 };

		conf_restart_get(conf, key, &text);
		json_object_set_new(values, key, json_string(buf_str(&text)));
		buf_free(&text);
	}
	return values;
}

static json_t *save_listeners(const struct listeners *l, unsigned n)
{
	json_t *list = json_array();
	char name[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "listen-%u", i);
		json_array_append_new(list, json_pack("{s:s, s:i}", "name", name,
						      "fd", listeners_fd(l, i)));
	}
	return list;
}

struct inheritance *succession_save(void *master)
{
	const struct master *m = master;
	json_t *workers = supervisor_save(m->sup);
	struct inheritance *h;

	if (workers == NULL)
		return NULL;
	h = mem_zalloc(sizeof(*h));
	*h = (struct inheritance){
		.program = mem_strdup(m->program),
		.version = mem_strdup(PACKAGE_VERSION),
		.conf = save_conf(m->conf),
		.listeners = save_listeners(m->listeners,
					    supervisor_slots(m->sup)),
		.lock_fd = m->lock,
		.control_fd = control_fd(m->control),
		.admin_fd = admin_fd(m->admin),
		.supervisor = workers,
		.status = status_save(m->status),
		.explain = explain_save(m->explain),
	};
	return h;
}

int succession_conf(struct conf *conf, const struct inheritance *h,
		    char err[SUCCESSION_ERR_MAX])
{
	const char *key;
	json_t *value;

	json_object_foreach(h->conf, key, value) {
		const char *text = json_string_value(value);
		char why[CONF_ERR_MAX] = "not a text";
		bool changed;

		if (text == NULL ||
		    conf_restart_set(conf, key, text, &changed, why) != 0) {
			snprintf(err, SUCCESSION_ERR_MAX, "state: conf.%.40s: %s",
				 key, why);
			return -EINVAL;
		}
		if (changed)
			log_warn("%s stays as it was until the master is "
				 "restarted", key);
	}
	return 0;
}

int succession_counts(struct master *m, const struct inheritance *h,
		      char err[SUCCESSION_ERR_MAX])
{
	char wrong[MEMBERS_ERR_MAX] = "";
	struct members parts = { h->root, "", wrong };

	status_load(m->status, &parts);
	explain_load(m->explain, &parts);
	if (*wrong == '\0')
		return 0;
	snprintf(err, SUCCESSION_ERR_MAX, "state: %s", wrong);
	return -EINVAL;
}

static int take_listeners(const struct inheritance *h, struct listeners **out,
			  char err[LISTENER_ERR_MAX])
{
	size_t n = json_array_size(h->listeners);
	int *fds = mem_alloc(n * sizeof(*fds)), rc;

	for (size_t i = 0; i < n; i++)
		fds[i] = (int)json_integer_value(json_object_get(
			json_array_get(h->listeners, i), "fd"));
	rc = listeners_take(fds, (unsigned)n, out, err);
	free(fds);
	return rc;
}

int succession_sockets(struct master *m, const struct inheritance *h,
		       char err[SUCCESSION_ERR_MAX])
{
	int rc = take_listeners(h, &m->listeners, err);

	m->lock = h->lock_fd;
	if (rc == 0 && h->admin_fd != -1)
		rc = admin_take(h->admin_fd, &m->admin, err);
	if (rc == 0)
		m->control = control_new(m->loop, h->control_fd,
					 m->conf->control_socket,
					 master_commands, master_commands_n, m);
	return rc;
}
