#include "worker/reload.h"

#include "common/base/log.h"
#include "common/conf/conf_change.h"
#include "common/protocol/auth_key.h"
#include "worker/presence.h"
#include "worker/settings.h"

/* key is taken. Whoever is connected stays: a token counts when it is shown. */
static void set_chat(const struct reload_parts *p, struct auth_key *key)
{
	struct chat_conf conf = settings_chat(p->conf, p->chat->conf.src);
	struct sio_ops ops;

	chat_set_conf(p->chat, &conf);
	auth_key_free(&p->chat->key);
	p->chat->key = key;
	ops = chat_sio_ops(p->chat);
	sio_server_namespace(p->sio, "/", &ops);
	presence_set_grace(p->chat->presence,
			   (unsigned)p->conf->offline_grace);
}

static void set_transport(const struct reload_parts *p)
{
	struct eio_conf eio = settings_eio(p->conf, 0);
	struct listener_conf listener = settings_listener(p->conf, 0);

	eio_sessions_set_conf(p->sessions, &eio);
	listener_set_conf(p->listener, &listener);
}

static void set_log(const struct conf *cf)
{
	enum log_level level;

	if (log_level_parse(cf->log_level, &level) == 0)
		log_configure(level);
}

static void note_live(void *arg, const char *key, enum conf_when when)
{
	struct buf *changed = arg;

	if (when == CONF_LIVE)
		buf_printf(changed, "%s%s", changed->len > 0 ? "," : "", key);
}

const char *reload(const struct reload_parts *p, int fd)
{
	char err[CONF_ERR_MAX];
	struct buf changed = { 0 };
	struct conf *fresh = NULL;
	struct auth_key *key = NULL;

	if (conf_read_fd(fd, &fresh, err) != 0) {
		log_err("reload: nothing changed: %s", err);
		return "it cannot read the configuration; see its log";
	}
	if (settings_key(fresh, &key) != 0) {
		log_err("reload: nothing changed");
		conf_free(&fresh);
		return "it has nothing to check tokens by; see its log";
	}
	conf_diff(p->conf, fresh, note_live, &changed);
	conf_take_live(p->conf, fresh);
	conf_free(&fresh);
	set_log(p->conf);
	set_transport(p);
	set_chat(p, key);
	log_info("reloaded changed=%s",
		 changed.len > 0 ? buf_str(&changed) : "none");
	buf_free(&changed);
	return NULL;
}
