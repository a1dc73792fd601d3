#include "worker/chat/connect.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/protocol/auth_token.h"
#include "worker/chat/catch_up.h"
#include "worker/chat/frames.h"
#include "worker/chat/recovery.h"
#include "worker/directory.h"
#include "worker/emitter.h"

/* What clients know from the reference; apps compare these texts. */
#define TOKEN_REQUIRED "Authentication token required"
#define TOKEN_INVALID "Invalid or expired token"
#define TOO_MANY "Too many connections"

void connect_accept(struct device *d, const char *sid)
{
	struct buf *b = &d->chat->scratch;
	char pid[RECOVERY_PID_LEN + 1];

	d->accepted = true;
	stats_inc(STAT_sockets);
	if (sid != NULL && sio_restore(d->socket, sid) != 0)
		log_debug("recovered sid is none");	/* was checked */
	recovery_pid(d->user->id, sio_socket_id(d->socket), pid);
	sio_accept(d->socket, pid);
	buf_clear(b);
	frame_session_ready(b, d->user->id, cluster_now_ms());
	emit_event(d, buf_slice(b));
}

/* Its user's route is registered: from now on nothing passes it by. */
static void admit(struct device *d)
{
	if (!d->accepted)
		catch_up_registered(d);
}

static void accept_all(struct user *u)
{
	struct list *pos, *tmp;

	u->registered = true;
	LIST_FOREACH_SAFE(pos, tmp, &u->devices)
		admit(LIST_ENTRY(pos, struct device, node));
}

void connect_registered(struct chat *c, struct slice user_id)
{
	struct user *u = users_find(&c->users, user_id);

	if (u != NULL && !u->registered)
		accept_all(u);
}

struct entering {
	struct chat *c;
	uint64_t generation;	/* of the stay that was registered */
	char user_id[PW_ID_MAX + 1];
};

/* The route is in Redis: whoever sends from now on reaches this worker. Without
 * Redis the user is served all the same (design 3.4) and registered when it is
 * back. */
static void on_entered(void *arg, int err)
{
	struct entering *e = arg;
	struct user *u = users_find(&e->c->users, slice_of(e->user_id));

	(void)err;
	/* He may have left meanwhile, and even come back: that stay has a
	 * registration of its own under way. */
	if (u != NULL && u->generation == e->generation)
		accept_all(u);
	free(e);
}

/* What it brings of a former connection is of use? */
static void bring_back(struct device *d, const struct sio_connect *from)
{
	struct chat_conf *conf = &d->chat->conf;
	char sid[SESSION_ID_LEN + 1];
	struct cursor c;

	if (from->pid == NULL)
		return;
	if (recovery_read(d->user->id, from->pid, from->offset,
			  cluster_now_us(), conf->recovery_window_ms * 1000,
			  sid, &c))
		catch_up_recover(d, sid, &c);
	else
		stats_inc(STAT_not_recovered);
}

static void add_device(struct chat *c, struct sio_socket *k,
		       const struct auth_claims *claims,
		       const struct sio_connect *from)
{
	struct device *d = device_new(c, &c->users, claims->user_id, k);
	int64_t left_s;

	d->since_ms = (uint64_t)cluster_now_ms();
	if (claims->expires_at_s != 0) {
		left_s = claims->expires_at_s - clock_wall_us() / 1000000;
		d->expires_mono_ms = clock_mono_ms() + left_s * 1000 +
				     c->conf.jwt_leeway_ms;
		expiry_note(&c->expiry, d);
	}
	sio_socket_attach(k, d);
	bring_back(d, from);
	directory_seen(c->directory, claims->user_id, cluster_now_ms());
	stats_set(STAT_users, (int64_t)users_count(&c->users));
	if (d->user->registered) {
		admit(d);
		return;
	}
	if (d->node.prev == &d->user->devices &&
	    d->node.next == &d->user->devices) {
		struct entering *e = mem_zalloc(sizeof(*e));

		d->user->named = d;
		e->c = c;
		e->generation = d->user->generation;
		strcpy(e->user_id, claims->user_id);
		emitter_user(c->emitter, claims->user_id, true);
		presence_enter(c->presence, claims->user_id, sio_socket_id(k),
			       on_entered, e);
	}
}

static bool too_many(const struct chat *c, const char *user_id)
{
	const struct user *u = users_find(&c->users, slice_of(user_id));

	return c->conf.user_connections != 0 && u != NULL &&
	       u->ndevices >= c->conf.user_connections;
}

void connect_socket(void *arg, struct sio_socket *k,
		    const struct sio_connect *from)
{
	struct chat *c = arg;
	const char *token = json_string_value(json_object_get(from->auth,
							      "token"));
	struct auth_claims claims;

	if (token == NULL || token[0] == '\0') {
		stats_inc(STAT_auth_failed);
		sio_refuse(k, TOKEN_REQUIRED);
		return;
	}
	if (auth_token_verify(c->key, token, clock_wall_us() / 1000000,
			      (unsigned)(c->conf.jwt_leeway_ms / 1000),
			      &claims) != 0) {
		stats_inc(STAT_auth_failed);
		sio_refuse(k, TOKEN_INVALID);
		return;
	}
	if (too_many(c, claims.user_id)) {
		stats_inc(STAT_limited_users);
		sio_refuse_data(k, TOO_MANY, "{\"code\":\"RATE_LIMITED\"}");
		return;
	}
	add_device(c, k, &claims, from);
}

/* socket:<user> must not name a socket that is gone while others are here. */
static void name_another(struct chat *c, struct user *u)
{
	struct list *n = list_first(&u->devices);

	if (n == NULL)
		return;
	u->named = LIST_ENTRY(n, struct device, node);
	presence_enter(c->presence, u->id, sio_socket_id(u->named->socket), NULL,
		       NULL);
}

void connect_gone(void *up, struct sio_socket *k, enum close_reason why)
{
	struct device *d = up;
	struct chat *c;
	struct user *u;
	bool named;
	char user_id[PW_ID_MAX + 1];

	if (d == NULL)
		return;		/* never authenticated */
	c = d->chat;
	if (d->accepted)
		stats_dec(STAT_sockets);
	log_debug("socket gone sid=%s reason=\"%s\"", sio_socket_id(k),
		  close_reason_name(why));
	directory_seen(c->directory, d->user->id, cluster_now_ms());
	u = d->user;
	named = u->named == d;
	catch_up_drop(d);
	if (device_gone(&c->users, d, user_id)) {
		presence_leave(c->presence, user_id);
		emitter_user(c->emitter, user_id, false);
	} else if (named) {
		name_another(c, u);
	}
	stats_set(STAT_users, (int64_t)users_count(&c->users));
}

unsigned connect_close_user(struct chat *c, struct slice user_id)
{
	struct user *u = users_find(&c->users, user_id);
	struct list *pos, *tmp;
	unsigned n = 0;

	if (u == NULL)
		return 0;
	LIST_FOREACH_SAFE(pos, tmp, &u->devices) {
		sio_disconnect(LIST_ENTRY(pos, struct device, node)->socket,
			       CLOSE_SERVER);
		n++;
	}
	return n;
}
