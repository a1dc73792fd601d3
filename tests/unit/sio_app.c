#include "tests/unit/sio_app.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* The application under test: echoes "echo", acknowledges with the arguments,
 * and writes down what it is told. */
struct buf said;
struct sio_socket *pending;
bool bye_when_confirmed;

static void app_connect(void *arg, struct sio_socket *k,
			const struct sio_connect *from)
{
	const char *answer = json_string_value(json_object_get(from->auth, "do"));

	cr_assert_eq(from->pid == NULL, from->offset == NULL);
	buf_printf(&said, "connect %s %zu%s%s%s%s\n", (const char *)arg,
		   json_object_size(from->auth),
		   from->pid != NULL ? " pid=" : "",
		   from->pid != NULL ? from->pid : "",
		   from->pid != NULL ? " offset=" : "",
		   from->pid != NULL ? from->offset : "");
	sio_socket_attach(k, k);
	if (answer != NULL && strcmp(answer, "refuse") == 0)
		sio_refuse(k, "no \"entry\"");
	else if (answer != NULL && strcmp(answer, "refuse with data") == 0)
		sio_refuse_data(k, "full", "{\"code\":7}");
	else if (answer != NULL && strcmp(answer, "later") == 0)
		pending = k;
	else
		sio_accept(k, NULL);
}

/* To be freed. */
static char *write_down(const char *what, const struct sio_event *e)
{
	char *args = e->args != NULL ? json_dumps(e->args, JSON_COMPACT)
				     : mem_strdup("()");

	buf_printf(&said, "%s %s %d%s%s\n", what, args, (int)e->ack,
		   e->binary ? " binary" : "", e->too_large ? " too large" : "");
	for (unsigned i = 0; i < e->nattachments; i++)
		buf_printf(&said, "+%.*s\n", (int)e->attachments[i].n,
			   e->attachments[i].p);
	return args;
}

/* Asks for an acknowledgement of the event "please". */
static void ask(struct sio_socket *k)
{
	const char *nsp = sio_socket_namespace(k);
	struct buf b = { 0 };

	sio_head_write(&b, SIO_EVENT, 0, (struct slice){ nsp, strlen(nsp) },
		       sio_ask(k));
	buf_adds(&b, "[\"please\"]");
	sio_send(k, buf_slice(&b));
	buf_free(&b);
}

static void app_event(void *up, struct sio_socket *k, const struct sio_event *e)
{
	char *args = write_down(e->name, e);
	size_t n = strlen(args);

	cr_assert_eq(up, k);
	if (strcmp(e->name, "bye") == 0)
		sio_disconnect(k, CLOSE_SERVER);
	else if (strcmp(e->name, "ask") == 0)
		ask(k);
	else if (e->nattachments != 0)
		sio_ack_binary(k, e->ack, (struct slice){ args + 1, n - 2 },
			       e->attachments, e->nattachments);
	else
		sio_ack(k, e->ack, (struct slice){ args + 1, n - 2 });
	free(args);
}

static void app_acked(void *up, struct sio_socket *k, const struct sio_event *e)
{
	cr_assert_eq(up, k);
	cr_assert_null(e->name);
	free(write_down("acked", e));
}

static void app_confirmed(void *up, struct sio_socket *k, uint32_t mark)
{
	cr_assert_eq(up, k);
	buf_printf(&said, "confirmed %u\n", mark);
	if (bye_when_confirmed)
		sio_disconnect(k, CLOSE_SERVER);
}

static void app_disconnected(void *up, struct sio_socket *k,
			     enum close_reason why)
{
	cr_assert(up == NULL || up == k);
	if (k == pending)
		pending = NULL;
	buf_printf(&said, "disconnected %s\n", close_reason_name(why));
}

struct loop *loop;
static struct eio_sessions *sessions;
static struct sio_server *server;
struct fake_transport fake;
struct eio_session *session;

void start_with(unsigned connect_timeout_ms, size_t event_max)
{
	const struct eio_conf c = {
		.instance = 1, .ping_interval_ms = 60000,
		.ping_timeout_ms = 60000,
		.connect_timeout_ms = connect_timeout_ms,
		.max_payload = 1000000, .outbox_limit = 1000000,
	};
	struct sio_ops ops = {
		.connect = app_connect, .event = app_event, .acked = app_acked,
		.confirmed = app_confirmed, .disconnected = app_disconnected,
		.arg = "root", .event_max = event_max,
	};
	struct eio_ops eio;

	bye_when_confirmed = false;
	loop = loop_new();
	server = sio_server_new(1);
	sio_server_namespace(server, "/", &ops);
	ops.arg = "custom";
	ops.attachments = true;
	sio_server_namespace(server, "/custom", &ops);
	eio = sio_server_eio_ops(server);
	sessions = eio_sessions_new(loop, &c, &eio);
	fake_transport_init(&fake, false);
	session = eio_session_open(sessions, &fake.t);
	run_turn(loop);
	fake_transport_take(&fake);
}

void start_impatient(unsigned connect_timeout_ms)
{
	start_with(connect_timeout_ms, 0);
}

void start(void)
{
	start_with(60000, 0);
}

void finish(void)
{
	eio_sessions_free(&sessions);
	sio_server_free(&server);
	loop_free(&loop);
	fake_transport_free(&fake);
	buf_free(&said);
}

/* Session ids are random: each is written as SID. */
static void hide_sids(char *text)
{
	for (char *p = text; (p = strstr(p, "{\"sid\":\"")) != NULL; p += 11) {
		memcpy(p + 8, "SID", 3);
		memmove(p + 11, p + 8 + SESSION_ID_LEN,
			strlen(p + 8 + SESSION_ID_LEN) + 1);
	}
}

void expect(const char *what, const char *want, const char *got)
{
	char *text = mem_strdup(got);

	hide_sids(text);
	cr_assert_str_eq(text, want, "%s", what);
	free(text);
}

void feed(const char *in)
{
	while (*in != '\0') {
		size_t n = strcspn(in, "\n");

		if (strncmp(in, "B:", 2) == 0)
			eio_session_frame(session, eio_session_transport(session),
					  (struct slice){ in + 2, n - 2 }, true);
		else
			eio_session_frame(session, eio_session_transport(session),
					  (struct slice){ in, n }, false);
		in += n + (in[n] == '\n');
	}
	run_turn(loop);
}

void replay(const struct transcript *t)
{
	feed(t->in);
	expect(t->in, t->out, fake_transport_take(&fake));
	expect(t->in, t->said, buf_str(&said));
	cr_assert_eq(fake.closed, t->end != -1, "%s", t->in);
	finish();
}

bool has_closed(void *arg)
{
	(void)arg;
	return fake.closed;
}
