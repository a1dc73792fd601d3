#include "config.h"

#include "tests/servers/directory/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"

struct link {
	struct list node;
	struct proxy *p;
	struct bufferevent *side[2];	/* the client, the server */
	char startup[512];
	size_t startup_len;
};

struct proxy {
	struct loop *loop;
	struct evconnlistener *listener;
	struct list links;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_un un;
	} server;
	socklen_t server_len;
	unsigned port;
	const char *held;
	bool stalled;
};

static void link_free(struct link *k)
{
	list_remove(&k->node);
	bufferevent_free(k->side[0]);
	bufferevent_free(k->side[1]);
	free(k);
}

static bool link_held(const struct link *k)
{
	return k->p->held != NULL &&
	       memmem(k->startup, k->startup_len, k->p->held,
		      strlen(k->p->held)) != NULL;
}

static void on_read(struct bufferevent *from, void *arg)
{
	struct link *k = arg;

	if (k->startup_len == 0) {
		struct evbuffer *in = bufferevent_get_input(from);

		k->startup_len = (size_t)evbuffer_copyout(in, k->startup,
							  sizeof(k->startup));
		if (link_held(k)) {
			link_free(k);
			return;
		}
	}
	bufferevent_read_buffer(from, bufferevent_get_output(
		k->side[from == k->side[0] ? 1 : 0]));
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		link_free(arg);
}

static void link_flow(struct link *k)
{
	for (int i = 0; i < 2; i++) {
		if (k->p->stalled)
			bufferevent_disable(k->side[i], EV_READ | EV_WRITE);
		else
			bufferevent_enable(k->side[i], EV_READ | EV_WRITE);
	}
}

static void on_accept(struct evconnlistener *lev, evutil_socket_t fd,
		      struct sockaddr *sa, int len, void *arg)
{
	struct proxy *p = arg;
	struct link *k = mem_zalloc(sizeof(*k));

	(void)lev;
	(void)sa;
	(void)len;
	k->p = p;
	for (int i = 0; i < 2; i++) {
		k->side[i] = bufferevent_socket_new(loop_base(p->loop),
						    i == 0 ? fd : -1,
						    BEV_OPT_CLOSE_ON_FREE);
		bufferevent_setcb(k->side[i], on_read, NULL, on_event, k);
	}
	list_init(&k->node);
	list_append(&p->links, &k->node);
	cr_assert_eq(bufferevent_socket_connect(k->side[1], &p->server.sa,
						(int)p->server_len), 0);
	link_flow(k);
}

static void listen_on(struct proxy *p)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)p->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);

	p->listener = evconnlistener_new_bind(loop_base(p->loop), on_accept, p,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, -1,
		(struct sockaddr *)&sa, sizeof(sa));
	cr_assert_not_null(p->listener);
	getsockname(evconnlistener_get_fd(p->listener), (struct sockaddr *)&sa,
		    &len);
	p->port = ntohs(sa.sin_port);
}

struct proxy *proxy_new(struct loop *l, const char *host, const char *port)
{
	struct proxy *p = mem_zalloc(sizeof(*p));

	p->loop = l;
	list_init(&p->links);
	if (host[0] == '/') {
		p->server.un.sun_family = AF_UNIX;
		snprintf(p->server.un.sun_path, sizeof(p->server.un.sun_path),
			 "%s/.s.PGSQL.%s", host, port);
		p->server_len = sizeof(p->server.un);
	} else {
		p->server.in.sin_family = AF_INET;
		p->server.in.sin_port = htons((uint16_t)atoi(port));
		cr_assert_eq(inet_pton(AF_INET, host, &p->server.in.sin_addr),
			     1, "not an address: %s", host);
		p->server_len = sizeof(p->server.in);
	}
	listen_on(p);
	return p;
}

void proxy_free(struct proxy **pp)
{
	proxy_open(*pp, false);
	free(*pp);
	*pp = NULL;
}

unsigned proxy_port(const struct proxy *p)
{
	return p->port;
}

void proxy_open(struct proxy *p, bool open)
{
	struct list *n;

	if (open) {
		listen_on(p);
		return;
	}
	if (p->listener != NULL)
		evconnlistener_free(p->listener);
	p->listener = NULL;
	while ((n = list_first(&p->links)) != NULL)
		link_free(LIST_ENTRY(n, struct link, node));
}

void proxy_stall(struct proxy *p, bool stall)
{
	struct list *pos, *tmp;

	p->stalled = stall;
	LIST_FOREACH_SAFE(pos, tmp, &p->links)
		link_flow(LIST_ENTRY(pos, struct link, node));
}

void proxy_hold(struct proxy *p, const char *text)
{
	struct list *pos, *tmp;

	p->held = text;
	LIST_FOREACH_SAFE(pos, tmp, &p->links) {
		struct link *k = LIST_ENTRY(pos, struct link, node);

		if (link_held(k))
			link_free(k);
	}
}
