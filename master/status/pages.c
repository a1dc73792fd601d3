#include "master/status/pages.h"

#include <jansson.h>
#include <stdlib.h>

#include "common/service/admin.h"
#include "common/service/exposition.h"
#include "master/status/status.h"

static void do_metrics(void *arg, struct admin_answer *out)
{
	const struct pages *p = arg;

	out->type = EXPO_CONTENT_TYPE;
	status_metrics(p->status, p->sup, &out->body);
}

static void do_status(void *arg, struct admin_answer *out)
{
	const struct pages *p = arg;
	json_t *page = status_page_json(p->status, p->sup);
	char *text = json_dumps(page, JSON_INDENT(2));

	json_decref(page);
	out->type = "application/json";
	buf_adds(&out->body, text != NULL ? text : "{}");
	buf_addc(&out->body, '\n');
	free(text);
}

static void do_healthz(void *arg, struct admin_answer *out)
{
	(void)arg;
	buf_adds(&out->body, "ok\n");
}

static void do_readyz(void *arg, struct admin_answer *out)
{
	const struct pages *p = arg;

	status_not_ready(p->sup, &out->body);
	if (out->body.len > 0)
		out->status = 503;
	else
		buf_adds(&out->body, "ok\n");
}

static const struct admin_page pages[] = {
	{ "/metrics", do_metrics },
	{ "/status.json", do_status },
	{ "/healthz", do_healthz },
	{ "/readyz", do_readyz },
};

void pages_start(struct pages *p, struct admin *a, struct loop *l)
{
	admin_start(a, l, pages, ARRAY_SIZE(pages), p);
}
