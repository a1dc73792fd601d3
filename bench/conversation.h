/* The conversation of `pairwire-bench talk`: conversation.c holds it,
 * conversation_events.c follows what the server tells the two about it,
 * conversation_away.c is its end when one of them leaves. */
#ifndef PW_BENCH_CONVERSATION_H
#define PW_BENCH_CONVERSATION_H

#include <jansson.h>

#include "common/base/buf.h"
#include "common/loop/loop.h"

struct away;
struct client;
struct clients;
struct target;

/* From a message's arrival to its being read. */
#define READING_MS 120

struct talk_conf {
	const char *url;
	const char *match;
	const char *tokens[2], *users[2], *names[2];
	unsigned messages;
	unsigned timeout_ms;
	const char *pushes;	/* what pairwire-pushd --dry-run says; NULL: it ends
				 * with both there */
};

/* Holds it and prints it; true when every message came all the way, and the one
 * that was sent to nobody was pushed. Otherwise one line on standard error says
 * what is missing. */
bool conversation_hold(const struct talk_conf *conf, struct target *target);

/* --- between the files --- */

struct person {
	struct talk *talk;
	unsigned index;
	struct client *client;		/* NULL: not there */
	struct timer reading;		/* arrived messages are read when it fires */
};

/* One message and how far it has come. */
struct step {
	struct buf text;
	char id[PW_ID_MAX + 1];		/* the server's; empty: not known yet */
	bool given, sent, arrived, delivered, read;
	bool read_told;			/* the reader's message:read is out */
};

struct talk {
	const struct talk_conf *conf;
	struct loop *loop;
	struct clients *clients;
	struct person people[2];
	struct step *steps;
	unsigned turn, turn_end;	/* steps of the present speaker */
	bool typing;			/* he is at it */
	struct timer pace;		/* the next thing he does */
	struct timer patience;		/* of waiting for the server */
	char run[17];			/* makes tempIds new in each run */
	struct away *away;		/* not NULL: it is about the push now */
	bool begun, over, failed, pushed;
};

/* Ends it; the first reason given is printed. */
void talk_fail(struct talk *t, const char *fmt, ...) PRINTF(2, 3);
const char *talk_name(const struct talk *t, unsigned person);
/* Step i is said, by whose line it is. */
void conversation_send(struct talk *t, unsigned i);
/* One event that p's app was sent: a JSON array, the name in front. */
void talk_on_event(struct person *p, json_t *event);

#endif
