#define _GNU_SOURCE	/* pthread_timedjoin_np */
#include "common/queue/queue_kafka_client.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/queue/queue_kafka_trouble.h"

#define TICK_MS 1000		/* in case that a wake-up got lost */
#define EVENTS_A_TURN 100
#define END_POLL_MS 100
#define ASSIGNED_MS 60000
#define API_JOIN_GROUP 11
/* Kafka's protocol: what is answered to anybody. */
#define API_SASL_HANDSHAKE 17
#define API_VERSIONS 18
#define API_SASL_AUTHENTICATE 36

enum reach { UNKNOWN, UP, DOWN };

struct kafka_client {
	struct loop *loop;
	struct kafka_client_conf conf;
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	int fd;			/* eventfd: there is something in a queue */
	struct io io;
	struct timer tick;
	enum reach reach;
	int64_t down_ms;	/* since then */
	bool fatal;
	rd_kafka_resp_err_t complaint;	/* of a broker, to a consumer: said once */
	atomic_bool greets;	/* with what says nothing: SASL comes behind it */
	bool taken;		/* rd_kafka_new() has shared out our conf */
	bool assigned;		/* it has had partitions, or none, of its group */
	char why[512];		/* the last error, and what to do about it */
	enum kafka_trouble trouble;
	unsigned told;		/* a bit for each that was, since it is down */
	bool doubt;		/* KAFKA_PROTOCOL was seen once */
	unsigned seen;		/* answers, of those counted below */
	int64_t seen_ms;
	/* written by the brokers' threads */
	atomic_uint answers;
	atomic_bool tell;	/* wake the loop at the next answer */
	atomic_bool joined;	/* a group, or tried to */
	atomic_bool parted;	/* of who waits and who ends, one is through */
};

static void wake(const struct kafka_client *c)
{
	uint64_t one = 1;

	/* full means that it is awake already */
	if (write(c->fd, &one, sizeof(one)) == -1)
		return;
}

/* On a broker's thread. librdkafka has no event for a broker that is back: its
 * answer is the first thing there is to be seen of it. */
static rd_kafka_resp_err_t
on_answer(rd_kafka_t *rk, int sockfd, const char *broker, int32_t broker_id,
	  int16_t api, int16_t version, int32_t id, size_t size, int64_t rtt,
	  rd_kafka_resp_err_t err, void *arg)
{
	struct kafka_client *c = arg;
	bool greeting = api == API_VERSIONS || api == API_SASL_HANDSHAKE ||
			api == API_SASL_AUTHENTICATE;

	(void)rk, (void)sockfd, (void)broker, (void)broker_id, (void)version;
	(void)id, (void)size, (void)rtt;
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR ||
	    (greeting && atomic_load(&c->greets)))
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	if (api == API_JOIN_GROUP)
		atomic_store(&c->joined, true);
	atomic_fetch_add(&c->answers, 1);
	if (atomic_exchange(&c->tell, false))
		wake(c);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf,
				  void *arg, char *err, size_t err_size)
{
	struct kafka_client *c = arg;

	(void)conf, (void)err, (void)err_size;
	c->taken = true;
	return rd_kafka_interceptor_add_on_response_received(rk, "pairwire",
							     on_answer, c);
}

static void went_up(struct kafka_client *c)
{
	if (c->reach == DOWN)	/* that it comes up at first is no news */
		log_info("kafka: connected again");
	c->reach = UP;
	c->why[0] = '\0';
	c->trouble = KAFKA_AWAY;
	if (c->conf.state != NULL)
		c->conf.state(c->conf.arg, true);
}

static void went_down(struct kafka_client *c, const char *why)
{
	bool was_up = c->reach == UP;

	if (c->reach == DOWN)
		return;
	c->reach = DOWN;
	c->down_ms = clock_mono_ms();
	/* what was heard until now is of the past */
	c->seen = atomic_load(&c->answers);
	atomic_store(&c->tell, true);
	c->told = why == c->why ? 1U << c->trouble : 0;
	c->doubt = false;
	log_warn("kafka: %s: %s", was_up ? "lost" : "cannot be reached", why);
	if (was_up && c->conf.state != NULL)
		c->conf.state(c->conf.arg, false);
}

static void hear(struct kafka_client *c)
{
	unsigned answers = atomic_load(&c->answers);

	if (answers == c->seen)
		return;
	c->seen = answers;
	c->seen_ms = clock_mono_ms();
	if (c->reach != UP)
		went_up(c);
}

void kafka_client_timed_out(struct kafka_client *c)
{
	hear(c);
	if (clock_mono_ms() - c->seen_ms > c->conf.timeout_ms)
		went_down(c, "no answer");
}

static void on_fatal(struct kafka_client *c)
{
	char text[256];
	rd_kafka_resp_err_t err = rd_kafka_fatal_error(c->rk, text, sizeof(text));

	if (c->fatal)
		return;
	c->fatal = true;
	if (c->conf.fatal == NULL || !c->conf.fatal(c->conf.arg, err))
		log_err("kafka: %s: %s", rd_kafka_err2name(err), text);
}

/* One that is back, and lets nobody in: what was told of its absence is not what
 * is wrong now. Each kind once, for brokers may differ. */
static void note_trouble(struct kafka_client *c, rd_kafka_resp_err_t err,
			 const char *text)
{
	c->trouble = kafka_trouble(err, text);
	kafka_trouble_text(c->trouble, text, c->why, sizeof(c->why));
	log_debug("kafka: %s", c->why);
	if (c->trouble == KAFKA_PROTOCOL && strstr(text, "SASL") != NULL)
		atomic_store(&c->greets, true);
	if (c->reach != DOWN || c->trouble == KAFKA_AWAY ||
	    (c->told & 1U << c->trouble) != 0)
		return;
	/* it may have gone in the midst of its greeting */
	if (c->trouble == KAFKA_PROTOCOL && !c->doubt) {
		c->doubt = true;
		return;
	}
	c->told |= 1U << c->trouble;
	log_warn("kafka: cannot be reached: %s", c->why);
}

static void on_error(struct kafka_client *c, rd_kafka_event_t *ev)
{
	rd_kafka_resp_err_t err = rd_kafka_event_error(ev);
	const char *text = rd_kafka_event_error_string(ev);

	if (rd_kafka_event_error_is_fatal(ev)) {
		on_fatal(c);
	} else if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		went_down(c, c->why[0] != '\0' ? c->why : text);
	} else if (c->conf.complaint != NULL &&
		   c->conf.complaint(c->conf.arg, err, text)) {
		c->complaint = err;
	} else if (err > RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (err != c->complaint)
			log_warn("kafka: %s", text);
		c->complaint = err;
	} else {
		note_trouble(c, err, text);
	}
}

static void on_log(rd_kafka_event_t *ev)
{
	const char *facility, *text;
	int level;

	if (rd_kafka_event_log(ev, &facility, &text, &level) == 0)
		log_debug("kafka: %s: %s", facility, text);
}

static bool take_one(struct kafka_client *c)
{
	rd_kafka_event_t *ev;

	ev = rd_kafka_queue_poll(c->queue, 0);
	if (ev == NULL && c->conf.more != NULL)
		ev = c->conf.more(c->conf.arg);
	if (ev == NULL)
		return false;
	switch (rd_kafka_event_type(ev)) {
	case RD_KAFKA_EVENT_ERROR:
		on_error(c, ev);
		rd_kafka_event_destroy(ev);
		break;
	case RD_KAFKA_EVENT_LOG:
		on_log(ev);
		rd_kafka_event_destroy(ev);
		break;
	case RD_KAFKA_EVENT_REBALANCE:
		c->assigned = true;
		/* fall through */
	default:
		c->complaint = RD_KAFKA_RESP_ERR_NO_ERROR;
		c->conf.event(c->conf.arg, ev);
	}
	return true;
}

/* The descriptor becomes readable only when a queue was empty: what a turn
 * leaves there needs a wake-up of its own. */
void kafka_client_drain(struct kafka_client *c)
{
	int n = 0;

	while (n < EVENTS_A_TURN && take_one(c))
		n++;
	if (n == EVENTS_A_TURN)
		wake(c);
	hear(c);
}

static void on_readable(void *arg, int what)
{
	struct kafka_client *c = arg;
	uint64_t n;

	(void)what;
	if (read(c->fd, &n, sizeof(n)) == -1 && errno != EAGAIN)
		log_fatal("kafka: eventfd: %s", strerror(errno));
	kafka_client_drain(c);
}

static void mind_silence(struct kafka_client *c)
{
	int64_t now = clock_mono_ms();

	if (!c->conf.fetches(c->conf.arg))
		c->seen_ms = now;	/* it counts from here */
	else if (now - c->seen_ms > c->conf.silence_ms)
		went_down(c, "no answer");
}

static void on_tick(void *arg)
{
	struct kafka_client *c = arg;

	timer_arm(&c->tick, TICK_MS);
	kafka_client_drain(c);
	if (c->conf.fetches != NULL && c->reach == UP)
		mind_silence(c);
}

/* Defaults of ours, which the URL may change. */
static void set_defaults(rd_kafka_conf_t *k, const struct kafka_client_conf *conf)
{
	unsigned connect_ms = conf->timeout_ms < 1000 ? 1000 : conf->timeout_ms;
	char setup[16];
	const struct kafka_setting rows[] = {
		{ "client.id", "pairwire" },
		{ "reconnect.backoff.ms", "100" },
		{ "reconnect.backoff.max.ms", "2000" },
		{ "socket.timeout.ms", "10000" },
		{ "socket.keepalive.enable", "true" },
		/* whoever has authenticated is not asked anything else for as long */
		{ "topic.metadata.refresh.interval.ms", "10000" },
		/* then what has no topic is told so, rather than that it took long */
		{ "topic.metadata.propagation.max.ms", "5000" },
		{ "socket.connection.setup.timeout.ms", setup },
		{ "log.queue", "true" },
	};
	char err[256];

	snprintf(setup, sizeof(setup), "%u", connect_ms);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rd_kafka_conf_set(k, rows[i].name, rows[i].value, err,
				      sizeof(err)) != RD_KAFKA_CONF_OK)
			log_fatal("kafka: %s", err);
}

static int set_properties(rd_kafka_conf_t *k, const struct kafka_url *url,
			  char err[256])
{
	char theirs[256];	/* may quote the value */

	for (size_t i = 0; i < url->n; i++) {
		rd_kafka_conf_res_t res =
			rd_kafka_conf_set(k, url->properties[i].name,
					  url->properties[i].value, theirs,
					  sizeof(theirs));

		if (res == RD_KAFKA_CONF_OK)
			continue;
		/* not even its name: it may be a piece of a password */
		snprintf(err, 256, res == RD_KAFKA_CONF_UNKNOWN ?
			 "librdkafka has no property like number %zu" :
			 "librdkafka refuses the value of property %zu", i + 1);
		return -EINVAL;
	}
	return 0;
}

static bool uses_sasl(const rd_kafka_conf_t *k)
{
	char protocol[32];
	size_t size = sizeof(protocol);

	return rd_kafka_conf_get(k, "security.protocol", protocol, &size) ==
	       RD_KAFKA_CONF_OK && strncmp(protocol, "sasl", 4) == 0;
}

static rd_kafka_conf_t *make_conf(struct kafka_client *c, char err[256])
{
	const struct kafka_client_conf *conf = &c->conf;
	rd_kafka_conf_t *k = rd_kafka_conf_new();
	char text[256];

	set_defaults(k, conf);
	if (set_properties(k, conf->url, err) != 0) {
		rd_kafka_conf_destroy(k);
		return NULL;
	}
	if (rd_kafka_conf_set(k, "bootstrap.servers", conf->url->brokers, text,
			      sizeof(text)) != RD_KAFKA_CONF_OK)
		log_fatal("kafka: %s", text);
	for (size_t i = 0; i < conf->n; i++)
		if (rd_kafka_conf_set(k, conf->ours[i].name, conf->ours[i].value,
				      text, sizeof(text)) != RD_KAFKA_CONF_OK)
			log_fatal("kafka: %s", text);
	atomic_init(&c->greets, uses_sasl(k));
	rd_kafka_conf_set_events(k, conf->events | RD_KAFKA_EVENT_ERROR |
				 RD_KAFKA_EVENT_LOG);
	rd_kafka_conf_interceptor_add_on_new(k, "pairwire", on_new, c);
	return k;
}

int kafka_client_check(const struct kafka_url *url, char err[256])
{
	const struct kafka_client_conf conf = { .timeout_ms = 1000 };
	rd_kafka_conf_t *k = rd_kafka_conf_new();
	rd_kafka_t *rk;

	set_defaults(k, &conf);
	if (set_properties(k, url, err) != 0) {
		rd_kafka_conf_destroy(k);
		return -EINVAL;
	}
	/* knows no broker, so it tries none */
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, k, err, 256);
	if (rk == NULL) {
		kafka_trouble_refused(url, err);
		rd_kafka_conf_destroy(k);
		return -EINVAL;
	}
	rd_kafka_destroy(rk);
	return 0;
}

static void open_queue(struct kafka_client *c)
{
	uint64_t one = 1;

	if (c->conf.type == RD_KAFKA_CONSUMER) {
		rd_kafka_poll_set_consumer(c->rk);
		c->queue = rd_kafka_queue_get_consumer(c->rk);
	} else {
		c->queue = rd_kafka_queue_get_main(c->rk);
	}
	rd_kafka_set_log_queue(c->rk, c->queue);
	rd_kafka_queue_io_event_enable(c->queue, c->fd, &one, sizeof(one));
	io_init(&c->io, c->loop, c->fd, on_readable, c);
	io_watch(&c->io, IO_READ);
	timer_init(&c->tick, c->loop, on_tick, c);
	timer_arm(&c->tick, TICK_MS);
	wake(c);		/* for what came before the queue had the descriptor */
}

struct kafka_client *kafka_client_new(struct loop *l,
				      const struct kafka_client_conf *conf,
				      char err[256])
{
	struct kafka_client *c = mem_zalloc(sizeof(*c));
	rd_kafka_conf_t *k;

	c->loop = l;
	c->conf = *conf;
	atomic_init(&c->tell, true);
	c->seen_ms = clock_mono_ms();
	c->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (c->fd == -1)
		log_fatal("kafka: eventfd: %s", strerror(errno));
	k = make_conf(c, err);
	c->rk = k != NULL ? rd_kafka_new(conf->type, k, err, 256) : NULL;
	if (k != NULL && c->rk == NULL)
		kafka_trouble_refused(conf->url, err);
	c->conf.url = NULL;	/* was borrowed, as these */
	c->conf.ours = NULL;
	if (c->rk == NULL) {
		/* what fails once it was taken has freed the interceptors in
		 * it, and 2.0 would free them again: better lost */
		if (k != NULL && !c->taken)
			rd_kafka_conf_destroy(k);
		close(c->fd);
		free(c);
		return NULL;
	}
	open_queue(c);
	return c;
}

rd_kafka_t *kafka_client_rk(const struct kafka_client *c)
{
	return c->rk;
}

int kafka_client_fd(const struct kafka_client *c)
{
	return c->fd;
}

bool kafka_client_up(const struct kafka_client *c)
{
	return c->reach == UP;
}

const char *kafka_client_why(const struct kafka_client *c)
{
	return c->reach != UP ? c->why : "";
}

bool kafka_client_down_for(const struct kafka_client *c, unsigned ms)
{
	return c->reach == DOWN && clock_mono_ms() - c->down_ms >= ms;
}

static void leave_loop(struct kafka_client *c)
{
	io_free(&c->io);
	timer_free(&c->tick);
	rd_kafka_queue_io_event_enable(c->queue, -1, NULL, 0);
}

static void finish(struct kafka_client *c)
{
	close(c->fd);
	free(c);
}

/* A consumer that ends between its first JoinGroup and what it is assigned makes
 * 2.0 abort() (rd_kafka_sticky_assignor_state_destroy). */
static bool may_end(struct kafka_client *c)
{
	int64_t end = clock_mono_ms() + ASSIGNED_MS;
	rd_kafka_event_t *ev;

	while (atomic_load(&c->joined) && !c->assigned) {
		if (clock_mono_ms() >= end)
			return false;
		ev = rd_kafka_queue_poll(c->queue, END_POLL_MS);
		if (ev == NULL)
			continue;
		c->assigned = rd_kafka_event_type(ev) == RD_KAFKA_EVENT_REBALANCE;
		rd_kafka_event_destroy(ev);
	}
	return true;
}

static void *end_thread(void *arg)
{
	struct kafka_client *c = arg;

	/* fenced, perhaps: better lost, with all of it */
	if (!may_end(c))
		return c;
	/* a reference that is left would keep destroy from ending */
	rd_kafka_queue_destroy(c->queue);
	/* on_answer() until it returns */
	rd_kafka_destroy_flags(c->rk, c->conf.type == RD_KAFKA_CONSUMER ?
			       RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE : 0);
	if (atomic_exchange(&c->parted, true))
		finish(c);
	return NULL;
}

void kafka_client_end(struct kafka_client **cp, unsigned ms)
{
	struct kafka_client *c = *cp;
	sigset_t all, before;
	struct timespec until;
	pthread_t thread;
	void *lost;
	int err;

	if (c == NULL)
		return;
	*cp = NULL;
	leave_loop(c);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, NULL, end_thread, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err != 0)
		log_fatal("pthread_create: %s", strerror(err));
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	if (pthread_timedjoin_np(thread, &lost, &until) == 0) {
		if (lost == NULL)
			finish(c);
		return;
	}
	pthread_detach(thread);
	if (atomic_exchange(&c->parted, true))
		finish(c);
}
