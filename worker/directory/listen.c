#include "worker/directory/listen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/backend/pg.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/loop/loop.h"

#define ECHO_MS 1000
#define ECHO_LATE_MS 3000

struct listen {
	struct listen_conf conf;
	struct listen_proof proof;
	struct pg *pg;
	struct timer tick;
	bool tick_pending;
	uint32_t connection;	/* echoes of an earlier one do not count */
	char channel[40];
	char listen_echo[64];
	const char *setup[4];
};

static const struct pg_stmt stmt_notify = {
	.name = "listen_echo",
	.sql = "SELECT pg_notify($1, $2)",
	.nparams = 2,
};

static void set_proven(struct listen *l, bool proven, const char *why)
{
	if (l->proof.proven == proven)
		return;
	l->proof.proven = proven;
	stats_set(STAT_listen_up, proven);
	if (proven)
		log_info("directory: notifications arrive; cached rows hold until they change");
	else
		log_warn("directory: notifications cannot be trusted (%s); cached rows are read again",
			 why);
}

static void on_ticked(void *arg, int err, const PGresult *res)
{
	struct listen *l = arg;

	(void)res;
	if (err == -EREMOTEIO)
		log_debug("directory: the echo was refused");
	if (err != -ECANCELED)
		l->tick_pending = false;
}

/* At most one is under way: when the server stalls, its deadline ends the
 * connection. */
static void send_tick(struct listen *l)
{
	char payload[64];
	const char *params[] = { l->channel, payload };

	if (l->tick_pending || !pg_up(l->pg))
		return;
	snprintf(payload, sizeof(payload), "%u %lld", l->connection,
		 (long long)clock_mono_ms());
	l->tick_pending = true;
	pg_query(l->pg, &stmt_notify, params, on_ticked, l);
}

static void on_tick(void *arg)
{
	struct listen *l = arg;

	if (clock_mono_ms() - l->proof.proven_ms > ECHO_LATE_MS)
		set_proven(l, false, "no echo");
	send_tick(l);
	timer_arm(&l->tick, ECHO_MS);
}

static void on_state(void *arg, bool up)
{
	struct listen *l = arg;

	l->connection++;
	l->proof.epoch = 0;
	if (!up) {
		set_proven(l, false, "connection lost");
		return;
	}
	l->tick_pending = false;
	send_tick(l);
}

static void on_echo(struct listen *l, const char *payload)
{
	unsigned connection;
	long long sent_ms;

	if (sscanf(payload, "%u %lld", &connection, &sent_ms) != 2 ||
	    connection != l->connection)
		return;
	if (l->proof.epoch == 0) {
		l->conf.relisten(l->conf.arg);
		l->proof.epoch = ++l->proof.serial;
	}
	l->proof.proven_ms = sent_ms;
	if (clock_mono_ms() - sent_ms <= ECHO_LATE_MS)
		set_proven(l, true, NULL);
}

static void on_notify(void *arg, const char *channel, const char *payload)
{
	struct listen *l = arg;

	if (strcmp(channel, l->channel) == 0)
		on_echo(l, payload);
	else
		l->conf.changed(l->conf.arg, channel, payload);
}

const struct listen_proof *listen_proof(const struct listen *l)
{
	return &l->proof;
}

struct listen *listen_new(const struct listen_conf *conf)
{
	struct listen *l = mem_zalloc(sizeof(*l));
	struct pg_conf pc = {
		.name = conf->name,
		.url = conf->url,
		.timeout_ms = conf->timeout_ms,
		.setup = l->setup,
	};
	uint64_t id = (uint64_t)clock_wall_us();

	if (getrandom(&id, sizeof(id), 0) == -1)
		log_warn("getrandom: %s", strerror(errno));
	snprintf(l->channel, sizeof(l->channel), "pairwire_echo_%016llx",
		 (unsigned long long)id);
	snprintf(l->listen_echo, sizeof(l->listen_echo), "LISTEN %s",
		 l->channel);
	l->setup[0] = "LISTEN " CHANNEL_MATCH;
	l->setup[1] = "LISTEN " CHANNEL_USER;
	l->setup[2] = l->listen_echo;
	l->conf = *conf;
	l->proof.proven_ms = clock_mono_ms() - ECHO_LATE_MS;
	l->pg = pg_new(conf->loop, &pc, on_state, on_notify, l);
	timer_init(&l->tick, conf->loop, on_tick, l);
	timer_arm(&l->tick, ECHO_MS);
	stats_set(STAT_listen_up, 0);
	return l;
}

void listen_free(struct listen **lp)
{
	struct listen *l = *lp;

	if (l == NULL)
		return;
	timer_free(&l->tick);
	pg_free(&l->pg);
	free(l);
	*lp = NULL;
}
