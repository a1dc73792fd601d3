#include "common/service/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/service/listener.h"

struct admin {
	struct listeners *listener;
	struct admin_http *http;
	const struct admin_page *pages;
	size_t npages;
	void *arg;
};

static bool is(struct slice s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static void on_request(void *arg, struct slice method, struct slice path,
		       struct admin_answer *out)
{
	const struct admin *a = arg;
	size_t i = 0;

	*out = (struct admin_answer){ .status = 200,
				      .type = "text/plain; charset=utf-8" };
	while (i < a->npages && !is(path, a->pages[i].path))
		i++;
	if (i == a->npages) {
		out->status = 404;
		buf_adds(&out->body, "there are:\n");
		for (i = 0; i < a->npages; i++)
			buf_printf(&out->body, "%s\n", a->pages[i].path);
	} else if (!is(method, "GET") && !is(method, "HEAD")) {
		out->status = 405;
		out->allow = "GET, HEAD";
		buf_adds(&out->body, "GET and HEAD only\n");
	} else {
		a->pages[i].fn(a->arg, out);
	}
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
	       strncmp(host, "::ffff:127.", 11) == 0;
}

int admin_new(const char *key, const char *address, struct admin **out,
	      char err[ADMIN_ERR_MAX])
{
	struct listeners *listener;
	char host[CONF_HOST_MAX], why[LISTENER_ERR_MAX];
	unsigned port;
	int rc = conf_host_port(address, host, &port);

	if (rc != 0) {
		snprintf(err, ADMIN_ERR_MAX, "%s: \"%.100s\" is not HOST:PORT",
			 key, address);
		return rc;
	}
	rc = listeners_open(host, port, 1, &listener, why);
	if (rc != 0) {
		snprintf(err, ADMIN_ERR_MAX, "%s: %s", key, why);
		return rc;
	}
	if (!is_loopback(listeners_host(listener)))
		log_warn("%s: whoever reaches %s reads metrics and status, "
			 "nobody is asked who he is", key,
			 listeners_name(listener));
	*out = mem_zalloc(sizeof(**out));
	(*out)->listener = listener;
	return 0;
}

int admin_take(int fd, struct admin **out, char err[ADMIN_ERR_MAX])
{
	struct listeners *listener;
	char why[LISTENER_ERR_MAX];
	int rc = listeners_take(&fd, 1, &listener, why);

	if (rc != 0) {
		snprintf(err, ADMIN_ERR_MAX, "admin listener: %s", why);
		return rc;
	}
	*out = mem_zalloc(sizeof(**out));
	(*out)->listener = listener;
	return 0;
}

int admin_fd(const struct admin *a)
{
	return a != NULL ? listeners_fd(a->listener, 0) : -1;
}

void admin_start(struct admin *a, struct loop *l, const struct admin_page *pages,
		 size_t n, void *arg)
{
	a->pages = pages;
	a->npages = n;
	a->arg = arg;
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
