/* `pairwire-bench idle`: users who connect and then say nothing, for sizing a
 * server. It holds them, answering pings, until it is told to stop. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/client.h"
#include "bench/command.h"
#include "bench/options.h"
#include "common/base/clock.h"
#include "common/loop/loop.h"
#include "common/protocol/auth_key.h"
#include "common/protocol/auth_token.h"

#define CONNECTIONS_MAX 1000000
#define OWN_FDS 32		/* of the process, beside the connections */
#define TOKEN_LIFE_S 86400

static const char usage[] =
"usage: pairwire-bench idle [options]\n"
"\n"
"Connects many users, a connection each, and holds the connections: they answer\n"
"pings and say nothing. Prints a line when all have joined, and another at the\n"
"end: after --hold, or on SIGINT or SIGTERM. Exit status 0 if all joined and\n"
"none was lost. Tokens are made here: JWT_SECRET in the environment must be the\n"
"server's jwt_secret. The server's connect_rate must allow it.\n"
"\n"
"  --url URL            the server (http://127.0.0.1:3001)\n"
"  --from ADDRESS       of this machine; each is good for some 14,000 connections\n"
"                       to one server, more are slow to make\n"
"  --connections N      how many users (1000)\n"
"  --users PATTERN      their ids: a run of '#' stands for the user's number,\n"
"                       with leading zeros (bench-######)\n"
"  --first N            the first user's number (1)\n"
"  --at-once N          connections being made at one time (100)\n"
"  --hold TIME          stay this long after all have joined (until told to stop)\n"
"  --timeout TIME       how long a connection may take to join (20s)\n";

struct idle_conf {
	const char *url;
	const char *from;	/* NULL: any */
	const char *users;
	unsigned connections, first, at_once;
	unsigned hold_ms, timeout_ms;
};

struct idle {
	const struct idle_conf *conf;
	struct loop *loop;
	struct clients *clients;
	struct auth_key *key;
	struct task fill;	/* starts connections; not from their callbacks */
	struct timer hold;
	int64_t begin_us, joined_us;
	unsigned begun, joined, lost;
	bool leaving;
};

static void on_left(void *arg)
{
	struct idle *d = arg;

	loop_stop(d->loop);
}

static void leave(void *arg)
{
	struct idle *d = arg;

	if (d->leaving)
		return;
	d->leaving = true;
	timer_disarm(&d->hold);
	clients_leave(d->clients, on_left, d);
}

static void user_id(const struct idle_conf *c, unsigned number,
		    char out[PW_ID_MAX + 1])
{
	size_t before = strcspn(c->users, "#");
	size_t width = strspn(c->users + before, "#");

	snprintf(out, PW_ID_MAX + 1, "%.*s%0*u%s", (int)before, c->users,
		 (int)width, number, c->users + before + width);
}

static void connect_one(struct idle *d)
{
	char id[PW_ID_MAX + 1];
	int64_t now_s = clock_wall_us() / 1000000;
	char *token;

	user_id(d->conf, d->conf->first + d->begun, id);
	token = auth_token_sign(d->key, id, now_s, now_s + TOKEN_LIFE_S);
	if (token == NULL)
		abort();	/* memory only */
	d->begun++;
	client_new(d->clients, token, d);
	free(token);
}

static void fill(void *arg)
{
	struct idle *d = arg;

	while (!d->leaving && d->begun < d->conf->connections &&
	       d->begun - d->joined - d->lost < d->conf->at_once)
		connect_one(d);
}

static void on_joined(struct client *c, void *arg)
{
	struct idle *d = arg;

	(void)c;
	d->joined++;
	loop_defer(d->loop, &d->fill);
	if (d->joined < d->conf->connections)
		return;
	d->joined_us = clock_mono_us();
	printf("%u connections in %.2f s\n", d->joined,
	       (double)(d->joined_us - d->begin_us) / 1e6);
	fflush(stdout);
	if (d->conf->hold_ms != 0)
		timer_arm(&d->hold, d->conf->hold_ms);
}

static void on_event(struct client *c, void *arg, struct slice json, int64_t ack)
{
	(void)c;
	(void)arg;
	(void)json;
	(void)ack;
}

/* One line, for the first; while they still join it is the end. */
static void on_ended(struct client *c, void *arg, enum client_end why,
		     const char *text)
{
	struct idle *d = arg;

	(void)c;
	(void)why;
	if (d->lost++ == 0)
		fprintf(stderr, "pairwire-bench: lost a connection: %s\n", text);
	if (d->joined_us == 0)
		leave(d);
}

static const struct client_ops ops = {
	.joined = on_joined,
	.event = on_event,
	.ended = on_ended,
};

static int hold(const struct idle_conf *conf, struct target *target,
		const char *secret)
{
	struct idle d = { .conf = conf, .begin_us = clock_mono_us() };

	d.key = auth_key_hs256(secret);
	d.loop = loop_new();
	d.clients = clients_new(d.loop, target, &ops, conf->timeout_ms);
	task_init(&d.fill, LOOP_WORK, fill, &d);
	timer_init(&d.hold, d.loop, leave, &d);
	loop_signal(d.loop, SIGINT, leave, &d);
	loop_signal(d.loop, SIGTERM, leave, &d);
	fill(&d);
	loop_run(d.loop);

	if (d.joined_us != 0)
		printf("held %.2f s, %u lost\n",
		       (double)(clock_mono_us() - d.joined_us) / 1e6, d.lost);
	else
		fprintf(stderr, "pairwire-bench: %u of %u connections joined\n",
			d.joined, conf->connections);
	task_cancel(&d.fill);
	timer_free(&d.hold);
	clients_free(&d.clients);
	loop_free(&d.loop);
	auth_key_free(&d.key);
	return d.joined_us != 0 && d.lost == 0 ? EXIT_FINE : EXIT_FAILED;
}

/* --- options --- */

enum { O_URL = 1, O_FROM, O_CONNECTIONS, O_USERS, O_FIRST, O_AT_ONCE, O_HOLD, O_TIMEOUT,
       O_HELP };

static const struct option options[] = {
	{ "url", required_argument, NULL, O_URL },
	{ "from", required_argument, NULL, O_FROM },
	{ "connections", required_argument, NULL, O_CONNECTIONS },
	{ "users", required_argument, NULL, O_USERS },
	{ "first", required_argument, NULL, O_FIRST },
	{ "at-once", required_argument, NULL, O_AT_ONCE },
	{ "hold", required_argument, NULL, O_HOLD },
	{ "timeout", required_argument, NULL, O_TIMEOUT },
	{ "help", no_argument, NULL, O_HELP },
	{ 0 },
};

static int set_option(struct idle_conf *c, int option, const char *value)
{
	switch (option) {
	case O_URL: c->url = value; return 0;
	case O_FROM: c->from = value; return 0;
	case O_USERS:
		c->users = value;
		return strchr(value, '#') != NULL && strlen(value) <= PW_ID_MAX
			? 0 : -EINVAL;
	case O_CONNECTIONS:
		return option_count(value, 1, CONNECTIONS_MAX, &c->connections);
	case O_FIRST: return option_count(value, 0, 1000000000, &c->first);
	case O_AT_ONCE: return option_count(value, 1, 10000, &c->at_once);
	case O_HOLD: return option_duration(value, &c->hold_ms);
	case O_TIMEOUT: return option_duration(value, &c->timeout_ms);
	default: return -EINVAL;
	}
}

/* -1: go on; else the exit status. */
static int read_options(struct idle_conf *c, int argc, char **argv)
{
	int option, index = 0;

	argv[0] = (char *)"pairwire-bench idle";	/* for getopt's messages */
	while ((option = getopt_long(argc, argv, "h", options, &index)) != -1) {
		if (option == O_HELP || option == 'h') {
			fputs(usage, stdout);
			return EXIT_FINE;
		}
		if (option == '?')
			return EXIT_USAGE;
		if (set_option(c, option, optarg) != 0) {
			fprintf(stderr, "pairwire-bench idle: --%s %s: not "
				"possible\n", options[index].name, optarg);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "pairwire-bench idle: there are no arguments but options "
		"(--help lists them)\n");
	return EXIT_USAGE;
}

/* The limit of descriptors, raised as far as it goes. */
static int allow_connections(unsigned n)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return 0;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_max >= n + OWN_FDS)
		return 0;
	fprintf(stderr, "pairwire-bench: this process may open %ju descriptors, "
		"too few for %u connections; run several\n",
		(uintmax_t)r.rlim_max, n);
	return -EMFILE;
}

int idle_run(int argc, char **argv)
{
	struct idle_conf c = {
		.url = "http://127.0.0.1:3001", .users = "bench-######",
		.connections = 1000, .first = 1, .at_once = 100,
		.timeout_ms = 20000,
	};
	const char *secret = getenv("JWT_SECRET");
	struct target target;
	char err[256];
	int rc = read_options(&c, argc, argv);

	if (rc != -1)
		return rc;
	if (secret == NULL || *secret == '\0') {
		fprintf(stderr, "pairwire-bench idle: no secret: set JWT_SECRET\n");
		return EXIT_USAGE;
	}
	if (allow_connections(c.connections) != 0)
		return EXIT_FAILED;
	if (target_resolve(c.url, &target, err) != 0) {
		fprintf(stderr, "pairwire-bench: %s\n", err);
		return EXIT_FAILED;
	}
	if (c.from != NULL && target_from(&target, c.from) != 0) {
		fprintf(stderr, "pairwire-bench idle: --from %s: not an address\n",
			c.from);
		return EXIT_USAGE;
	}
	return hold(&c, &target, secret);
}
