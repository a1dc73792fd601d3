/* The application above Socket.IO, and a look at what passes between Engine.IO
 * and Socket.IO. The root wants no attachments and short events, /custom takes
 * all. */
#include "tests/fuzz/session_world.h"

/* w.mode: what is done from within the callbacks. */
#define MODE_CONNECT(m) ((m) & 3)
enum { CONNECT_ACCEPT, CONNECT_REFUSE, CONNECT_LATER, CONNECT_DISCONNECT };
#define MODE_ANSWER(m) ((m) >> 2 & 7)
enum {
	ANSWER_NOT, ANSWER_ACK, ANSWER_SEND, ANSWER_MARK, ANSWER_DISCONNECT,
	ANSWER_CLOSE, ANSWER_ACK_CLOSE, ANSWER_ALL
};
#define MODE_TELL(m) ((m) & 32)	/* others that a socket has gone; a pid */

static struct eio_ops inner;	/* Socket.IO's */

static struct client *client_of(const struct sio_socket *k)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (w.clients[i].s == sio_socket_session(k))
			return &w.clients[i];
	}
	abort();
}

void app_send(struct client *c, bool binary, size_t padding)
{
	uint32_t number = c->sent;
	bool open = client_is_open(c), taken;
	char text[512];
	int n;

	if (c->s == NULL)
		return;
	c->sent++;
	if (binary) {
		taken = eio_session_send(c->s, (struct slice){
			(const char *)&number, sizeof(number) }, true);
	} else {
		n = snprintf(text, sizeof(text), "42[\"s\",%u,\"%0*d\"]",
			     number, (int)padding, 0);
		taken = eio_session_send(c->s, (struct slice){
			text, (size_t)n }, false);
	}
	CHECK(taken == open);
	if (!taken)
		c->sent--;
}

void app_mark(struct client *c)
{
	uint32_t mark;

	if (c->s == NULL || c->marks == MARKS - 1)
		return;
	mark = eio_session_mark(c->s);
	CHECK(mark == c->marks + 1);
	c->marks = mark;
	c->sent_at[mark] = c->sent;
}

static struct member *find_member(const struct client *c, bool accepted)
{
	for (int i = 0; i < NSP__COUNT; i++) {
		if (c->members[i] != NULL && c->members[i]->accepted == accepted)
			return c->members[i];
	}
	return NULL;
}

void app_send_binary(struct client *c)
{
	struct member *m = find_member(c, true);
	uint32_t numbers[] = { c->sent + 1, c->sent + 2 };
	struct slice attachments[] = {
		{ (const char *)&numbers[0], sizeof(numbers[0]) },
		{ (const char *)&numbers[1], sizeof(numbers[1]) },
	};
	bool open = client_is_open(c), taken;
	struct buf b = { 0 };
	const char *nsp;

	if (m == NULL)
		return;
	nsp = sio_socket_namespace(m->k);
	sio_head_write(&b, SIO_BINARY_EVENT, 2,
		       (struct slice){ nsp, strlen(nsp) }, SIO_NO_ACK);
	buf_printf(&b, "[\"s\",%u]", c->sent);
	c->sent += 3;
	taken = sio_send_binary(m->k, buf_slice(&b), attachments, 2);
	CHECK(taken == open);
	if (!taken)
		c->sent -= 3;
	buf_free(&b);
}

void app_ask(struct client *c)
{
	struct member *m = find_member(c, true);
	char text[64];
	int64_t id;
	int n;

	if (m == NULL || m->asked == ASKS)
		return;
	id = sio_ask(m->k);
	CHECK(id == m->asked);
	m->asked++;
	n = snprintf(text, sizeof(text), "42%d[\"q\"]", (int)id);
	(void)sio_send(m->k, (struct slice){ text, (size_t)n });
}

static void answer(struct member *m, int64_t ack)
{
	struct client *c = m->c;

	switch (MODE_ANSWER(w.mode)) {
	case ANSWER_ALL:
	case ANSWER_ACK:
		sio_ack(m->k, ack, SLICE("{\"ok\":true}"));
		if (MODE_ANSWER(w.mode) == ANSWER_ACK)
			break;
		/* fall through */
	case ANSWER_MARK:
		app_send(c, false, 1);
		app_mark(c);
		break;
	case ANSWER_SEND:
		app_send(c, false, 1);
		app_send(c, true, 0);
		break;
	case ANSWER_DISCONNECT:
		sio_disconnect(m->k, CLOSE_AUTH);
		break;
	case ANSWER_ACK_CLOSE:
		sio_ack(m->k, ack, SLICE("1"));
		/* fall through */
	case ANSWER_CLOSE:
		eio_session_close(c->s, CLOSE_SERVER);
		break;
	case ANSWER_NOT:
		break;
	}
}

static void accept_member(struct member *m)
{
	m->accepted = true;
	m->c->joined = true;
	sio_accept(m->k, MODE_TELL(w.mode) ? "a\"pid" : NULL);
}

static void refuse_member(struct member *m)
{
	struct sio_socket *k = m->k;

	m->c->members[m->nsp] = NULL;
	free(m);
	sio_refuse(k, "no");
}

static void check_connect(struct sio_socket *k, const struct sio_connect *from)
{
	CHECK(json_is_object(from->auth));
	CHECK((from->pid == NULL) == (from->offset == NULL));
	if (from->pid == NULL)
		return;
	CHECK(strlen(from->pid) <= SIO_PID_MAX);
	CHECK(strlen(from->offset) <= SIO_OFFSET_MAX);
	if (sio_restore(k, from->pid) == 0)
		CHECK(strcmp(sio_socket_id(k), from->pid) == 0);
	CHECK(strlen(sio_socket_id(k)) == SESSION_ID_LEN);
}

static void on_connect(void *arg, struct sio_socket *k,
		       const struct sio_connect *from)
{
	struct client *c = client_of(k);
	struct member *m = calloc(1, sizeof(*m));

	CHECK(m != NULL && w.calling && client_is_open(c));
	check_connect(k, from);
	m->c = c;
	m->k = k;
	m->nsp = strcmp(sio_socket_namespace(k), "/") == 0 ? NSP_ROOT : NSP_CUSTOM;
	CHECK(arg == &w && c->members[m->nsp] == NULL);
	c->members[m->nsp] = m;
	sio_socket_attach(k, m);
	switch (MODE_CONNECT(w.mode)) {
	case CONNECT_LATER:
		break;
	case CONNECT_REFUSE:
		refuse_member(m);
		break;
	case CONNECT_DISCONNECT:
		accept_member(m);
		sio_disconnect(k, CLOSE_AUTH);
		break;
	case CONNECT_ACCEPT:
		accept_member(m);
		break;
	}
}

static void check_content(const struct member *m, const struct sio_event *e)
{
	bool kept = m->nsp == NSP_CUSTOM;

	CHECK(!e->too_large || !kept);
	CHECK(json_is_array(e->args) ==
	      (!e->too_large && (!e->binary || kept)));
	CHECK((e->attachments != NULL) == (e->binary && kept && !e->too_large));
	CHECK((e->attachments != NULL) == (e->nattachments > 0));
	for (unsigned i = 0; i < e->nattachments; i++)
		CHECK(e->attachments[i].n == 0 || e->attachments[i].p != NULL);
}

static void on_acked(void *up, struct sio_socket *k, const struct sio_event *e)
{
	struct member *m = up;

	CHECK(w.calling && m->k == k && m->accepted && client_is_open(m->c));
	CHECK(e->name == NULL && e->ack >= 0 && e->ack < m->asked);
	CHECK(!m->answered[e->ack]);
	m->answered[e->ack] = true;
	check_content(m, e);
	answer(m, SIO_NO_ACK);
}

static void on_event(void *up, struct sio_socket *k, const struct sio_event *e)
{
	struct member *m = up;

	CHECK(w.calling && m->k == k && m->accepted && client_is_open(m->c));
	CHECK(e->name != NULL && (strlen(e->name) <= SIO_NAME_MAX || !e->too_large));
	check_content(m, e);
	if (strcmp(e->name, "e") == 0) {
		m->c->events_got++;
		m->c->last_event = (uint32_t)json_integer_value(
			json_array_get(e->args, 0));
	}
	answer(m, e->ack);
}

static void on_confirmed(void *up, struct sio_socket *k, uint32_t mark)
{
	struct member *m = up;

	CHECK(w.calling && m->k == k && m->accepted && client_is_open(m->c));
	CHECK(mark > m->confirmed && mark <= m->c->marks);
	/* what stood before the mark was written before the ping */
	CHECK(m->c->liar || m->c->taken >= m->c->sent_at[mark]);
	m->confirmed = mark;
	answer(m, SIO_NO_ACK);
}

static void on_disconnected(void *up, struct sio_socket *k, enum close_reason why)
{
	struct member *m = up;
	struct client *c = m->c;

	CHECK(m->k == k && c->members[m->nsp] == m && why < CLOSE__COUNT);
	c->members[m->nsp] = NULL;
	free(m);
	for (int i = 0; MODE_TELL(w.mode) && i < CLIENTS; i++)
		app_send(&w.clients[i], false, 1);
}

void app_start(void)
{
	struct sio_ops ops = {
		.connect = on_connect, .event = on_event, .acked = on_acked,
		.confirmed = on_confirmed, .disconnected = on_disconnected,
		.arg = &w, .event_max = 64,
	};

	w.server = sio_server_new(7);
	sio_server_namespace(w.server, "/", &ops);
	ops.attachments = true;
	ops.event_max = 0;
	sio_server_namespace(w.server, "/custom", &ops);
	inner = sio_server_eio_ops(w.server);
}

void app_accept(struct client *c)
{
	struct member *m = find_member(c, false);

	if (m != NULL)
		accept_member(m);
}

void app_refuse(struct client *c)
{
	struct member *m = find_member(c, false);

	if (m != NULL)
		refuse_member(m);
}

void app_disconnect(struct client *c)
{
	struct member *m = find_member(c, true);

	if (m == NULL)
		m = find_member(c, false);
	if (m != NULL)
		sio_disconnect(m->k, CLOSE_AUTH);
}

/* Between the layers; up is the client. */
static void *eio_opened(void *arg, struct eio_session *s)
{
	struct transport *t = eio_session_transport(s);
	struct client *c = CONTAINER_OF(t, struct stream, t)->c;

	CHECK(arg == NULL && c->s == NULL);
	c->s = s;
	memcpy(c->sid, eio_session_sid(s), sizeof(c->sid));
	c->up = inner.opened(inner.arg, s);
	w.opened++;
	return c;
}

static void eio_message(void *up, struct slice data, bool binary)
{
	struct client *c = up;

	CHECK(w.calling && client_is_open(c));
	inner.message(c->up, data, binary);
}

static void eio_confirmed(void *up, uint32_t mark)
{
	struct client *c = up;

	CHECK(w.calling && client_is_open(c));
	inner.confirmed(c->up, mark);
}

static void eio_closed(void *up, enum close_reason why)
{
	struct client *c = up;

	CHECK(!w.calling && c->s != NULL && !client_is_open(c));
	CHECK(c->now == NULL && c->candidate == NULL && c->old == NULL);
	inner.closed(c->up, why);
	for (int i = 0; i < NSP__COUNT; i++)
		CHECK(c->members[i] == NULL);
	c->s = NULL;
	w.closed++;
}

struct eio_ops app_eio_ops(void)
{
	return (struct eio_ops){
		.opened = eio_opened, .message = eio_message,
		.confirmed = eio_confirmed, .closed = eio_closed,
	};
}
