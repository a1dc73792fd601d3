#include "master/admin.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "master/admin_http.h"
#include "master/listener.h"
#include "master/metrics.h"
#include "master/status.h"

#define TEXT "text/plain; charset=utf-8"

struct admin {
	struct listeners *listener;
	struct admin_http *http;
	struct status *status;
	const struct supervisor *sup;
};

static void do_metrics(struct admin *a, struct admin_answer *out)
{
	out->type = METRICS_CONTENT_TYPE;
	status_metrics(a->status, a->sup, &out->body);
}

static void do_status(struct admin *a, struct admin_answer *out)
{
	json_t *page = status_page_json(a->status, a->sup);
	char *text = json_dumps(page, JSON_INDENT(2));

	json_decref(page);
	out->type = "application/json";
	buf_adds(&out->body, text != NULL ? text : "{}");
	buf_addc(&out->body, '\n');
	free(text);
}

static void do_healthz(struct admin *a, struct admin_answer *out)
{
	(void)a;
	buf_adds(&out->body, "ok\n");
}

static void do_readyz(struct admin *a, struct admin_answer *out)
{
	status_not_ready(a->sup, &out->body);
	if (out->body.len > 0)
		out->status = 503;
	else
		buf_adds(&out->body, "ok\n");
}

static const struct {
	const char *path;
	void (*fn)(struct admin *a, struct admin_answer *out);
} routes[] = {
	{ "/metrics", do_metrics },
	{ "/status.json", do_status },
	{ "/healthz", do_healthz },
	{ "/readyz", do_readyz },
};

static bool is(struct slice s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static void on_request(void *arg, struct slice method, struct slice path,
		       struct admin_answer *out)
{
	size_t i = 0;

	*out = (struct admin_answer){ .status = 200, .type = TEXT };
	while (i < ARRAY_SIZE(routes) && !is(path, routes[i].path))
		i++;
	if (i == ARRAY_SIZE(routes)) {
		out->status = 404;
		buf_adds(&out->body, "there are:\n");
		for (i = 0; i < ARRAY_SIZE(routes); i++)
			buf_printf(&out->body, "%s\n", routes[i].path);
	} else if (!is(method, "GET") && !is(method, "HEAD")) {
		out->status = 405;
		out->allow = "GET, HEAD";
		buf_adds(&out->body, "GET and HEAD only\n");
	} else {
		routes[i].fn(arg, out);
	}
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
	       strncmp(host, "::ffff:127.", 11) == 0;
}

int admin_new(const char *address, struct admin **out, char err[ADMIN_ERR_MAX])
{
	struct listeners *listener;
	char host[CONF_HOST_MAX], why[LISTENER_ERR_MAX];
	unsigned port;
	int rc = conf_host_port(address, host, &port);

	if (rc != 0) {
		snprintf(err, ADMIN_ERR_MAX, "admin_listen: \"%.100s\" is not "
			 "HOST:PORT", address);
		return rc;
	}
	rc = listeners_open(host, port, 1, &listener, why);
	if (rc != 0) {
		snprintf(err, ADMIN_ERR_MAX, "admin_listen: %s", why);
		return rc;
	}
	if (!is_loopback(listeners_host(listener)))
		log_warn("admin_listen: whoever reaches %s reads metrics and "
			 "status, nobody is asked who he is",
			 listeners_name(listener));
	*out = mem_zalloc(sizeof(**out));
	(*out)->listener = listener;
	return 0;
}

void admin_start(struct admin *a, struct loop *l, struct status *status,
		 const struct supervisor *sup)
{
	a->status = status;
	a->sup = sup;
	a->http = admin_http_new(l, listeners_fd(a->listener, 0), on_request, a);
}

void admin_free(struct admin **ap)
{
	struct admin *a = *ap;

	if (a == NULL)
		return;
	admin_http_free(&a->http);
	listeners_close(&a->listener);
	free(a);
	*ap = NULL;
}

const char *admin_name(const struct admin *a)
{
	return a != NULL ? listeners_name(a->listener) : NULL;
}
