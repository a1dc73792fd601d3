#include "master/control/commands_conf.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/utf8.h"
#include "common/conf/conf_show.h"
#include "master/master.h"
#include "master/control/taken.h"
#include "master/reload.h"
#include "master/workers/supervisor.h"

void do_reload(void *arg, struct control_request r, const json_t *args)
{
	char err[CONF_ERR_MAX];
	json_t *changes = NULL;

	(void)args;
	if (reload(arg, &changes, err) != 0)
		control_refuse(r, "%s", err);
	else
		taken_ask(arg, r, "reload", changes);
}

/* --- log --- */

static void refuse_area(struct control_request r, const char *area)
{
	struct buf known = { 0 };

	for (unsigned i = 0; log_area_name(i) != NULL; i++)
		buf_printf(&known, "%s%s", i > 0 ? ", " : "", log_area_name(i));
	control_refuse(r, "\"%.40s\" is no area; there are: %s", area,
		       buf_str(&known));
	buf_free(&known);
}

void do_log(void *arg, struct control_request r, const json_t *args)
{
	const char *level = json_string_value(json_array_get(args, 0));
	const char *area = json_string_value(json_array_get(args, 1));
	struct master *m = arg;
	enum log_level number;
	int n;

	if (strcmp(level, "default") == 0)
		n = LOG_LVL_CONFIGURED;
	else if (log_level_parse(level, &number) == 0)
		n = (int)number;
	else {
		control_refuse(r, "\"%.40s\" is no level; there are: error, "
			       "warning, info, debug, default", level);
		return;
	}
	if (area != NULL && *area == '\0')
		area = NULL;
	if (log_override(n, area != NULL ? area : "") != 0) {
		refuse_area(r, area);
		return;
	}
	supervisor_log(m->sup, n, area != NULL ? area : "");
	control_harmless(r);
	taken_ask(m, r, "log",
		  json_pack("{s:s, s:s?}", "level", level, "area", area));
}

/* --- config --- */

void do_config(void *arg, struct control_request r, const json_t *args)
{
	struct master *m = arg;
	json_t *keys = json_array(), *waiting = supervisor_waiting(m->sup);
	struct conf_line l;

	(void)args;
	for (unsigned n = 0; conf_line(m->conf, n, &l); n++) {
		buf_addc(&l.value, '\0');
		utf8_clean(l.value.p);
		json_array_append_new(keys, json_pack(
			"{s:s, s:s, s:s, s:b, s:s, s:s, s:I}", "section", l.section,
			"key", l.key, "value", l.value.p, "secret",
			(int)l.secret, "origin", buf_str(&l.origin), "when",
			conf_when_name(l.when), "older_workers",
			json_integer_value(json_object_get(waiting, l.key))));
		conf_line_free(&l);
	}
	json_decref(waiting);
	control_answer(r, json_pack("{s:s?, s:o}", "path", m->call->conf_path,
				    "keys", keys));
}
