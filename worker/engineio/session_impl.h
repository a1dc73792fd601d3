/* A session from within: shared by session.c and upgrade.c only. */
#ifndef PW_EIO_SESSION_IMPL_H
#define PW_EIO_SESSION_IMPL_H

#include "common/base/buf.h"
#include "common/base/map.h"
#include "common/loop/deadlines.h"
#include "worker/engineio/outbox.h"
#include "worker/engineio/session.h"

enum session_state { SESS_OPENING, SESS_OPEN, SESS_CLOSING, SESS__COUNT };

struct upgrade;

/* One per connected client: its size counts. */
struct eio_session {
	struct map_node node;		/* by sid, while open */
	struct list work;		/* dirty or closing */
	struct eio_sessions *ss;
	struct transport *transport;	/* NULL: gone */
	struct upgrade *upgrade;	/* NULL: stays where it is */
	void *up;
	struct outbox outbox;
	struct deadline heartbeat;	/* next ping, or the pong's deadline */
	struct deadline joining;	/* connect_timeout; eio_session_await */
	struct deadline barrier;	/* armed: too early for the next one */
	uint32_t mark_last;		/* given out */
	uint32_t mark_pinged;		/* what the last ping stands behind */
	uint32_t mark_confirmed;
	uint32_t serial;		/* for the log: the sid is a secret */
	uint8_t state;
	uint8_t why;
	bool pinging : 1;		/* a ping is outstanding */
	bool polling : 1;		/* counted as such */
	char sid[SESSION_ID_LEN + 1];
};

struct eio_sessions {
	struct loop *loop;
	struct eio_conf conf;
	struct eio_ops ops;
	struct map by_sid;
	struct list dirty;
	struct list closing;
	struct task flush;
	struct task reap;
	struct deadlines intervals;
	struct deadlines timeouts;
	struct deadlines joins;
	struct deadlines barriers;
	struct deadlines upgrades;
	struct buf scratch;		/* a message decoded */
	uint32_t serial;
};

/* Something to do for it at the end of the turn. */
void session_mark_dirty(struct eio_session *s);
void session_set_transport(struct eio_session *s, struct transport *t);

/* --- upgrade.c --- */
/* A frame on what is not the session's transport. */
void upgrade_frame(struct eio_session *s, struct transport *t,
		   struct slice frame, bool binary);
/* The client broke a rule there. */
void upgrade_refuse(struct eio_session *s, struct transport *t,
		    enum close_reason why);
/* That one has ended. */
void upgrade_gone(struct eio_session *s, struct transport *t);
/* A poll waits that the client wants to get rid of. */
bool upgrade_frees_poll(const struct eio_session *s);
/* At the end of the turn, with s->upgrade: what its frames asked for. */
void upgrade_step(struct eio_session *s);
/* At the end of the session, with s->upgrade. */
void upgrade_abandon(struct eio_session *s);
void upgrade_on_overdue(struct deadline *d, void *arg);

#endif
