/* Reads the push queue as pushd will: prints each event as a line, its entry in
 * the queue and its JSON; sets its message's owe to 0 in the store, then
 * acknowledges it. In this order, so that a kill repeats an event and loses none
 * (design M4). SIGTERM ends it. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/queue/push_queue.h"
#include "common/store/message_store.h"

#define IN_FLIGHT 500
#define CLAIM_IDLE_MS 3000
#define TIMEOUT_MS 5000
#define RETRY_MS 100

static struct {
	struct loop *loop;
	struct message_store *store;
	struct push_consumer *queue;
	struct list waiting;	/* printed; for the store to be well again */
	struct timer retry;
	bool ending;
} reader;

/* An event that was printed and is not yet acknowledged. */
struct event {
	struct list node;
	char id[MESSAGE_ID_LEN + 1];
	char entry[];
};

static void settle(struct event *e);

static void on_settled(void *arg, int err)
{
	struct event *e = arg;

	if (err == 0) {
		push_consumer_ack(reader.queue, e->entry);
		free(e);
		return;
	}
	list_append(&reader.waiting, &e->node);
	if (!reader.ending && !timer_armed(&reader.retry))
		timer_arm(&reader.retry, RETRY_MS);
}

static void settle(struct event *e)
{
	message_store_set_owe(reader.store, e->id, 0, on_settled, e);
}

static void settle_waiting(void *arg)
{
	struct list batch, *n;

	(void)arg;
	list_init(&batch);
	list_splice(&batch, &reader.waiting);
	while ((n = list_shift(&batch)) != NULL)
		settle(LIST_ENTRY(n, struct event, node));
}

static void on_event(void *arg, const char *entry, struct slice json)
{
	json_t *event = json_loadb(json.p, json.n, 0, NULL);
	const char *id = json_string_value(
		json_object_get(json_object_get(event, "data"), "messageId"));
	size_t n = strlen(entry) + 1;
	struct event *e;

	(void)arg;
	if (id == NULL || !message_id_valid((struct slice){ id, strlen(id) }))
		log_fatal("an event without a message: %.*s", (int)json.n, json.p);
	if (printf("%s %.*s\n", entry, (int)json.n, json.p) < 0 || fflush(stdout) != 0)
		log_fatal("nobody reads what is printed");
	e = mem_alloc(sizeof(*e) + n);
	list_init(&e->node);
	strcpy(e->id, id);
	memcpy(e->entry, entry, n);
	json_decref(event);
	settle(e);
}

static void on_store(void *arg, bool up)
{
	(void)arg;
	if (up)
		settle_waiting(NULL);
}

static void on_signal(void *arg)
{
	loop_stop(arg);
}

static void usage(void)
{
	fputs("usage: push_reader --queue URL --store URL --consumer NAME\n",
	      stderr);
	exit(2);
}

static void run(const char *queue, const char *store, const char *consumer)
{
	struct message_store_conf sc = { .url = store, .name = consumer,
					 .lanes = 1, .timeout_ms = TIMEOUT_MS,
					 .queue_max = IN_FLIGHT };
	struct push_consumer_conf qc = { .url = queue, .group = "pushd",
					 .consumer = consumer,
					 .max_in_flight = IN_FLIGHT,
					 .claim_idle_ms = CLAIM_IDLE_MS,
					 .timeout_ms = TIMEOUT_MS };
	struct list *n;
	char err[256] = "";

	reader.loop = loop_new();
	list_init(&reader.waiting);
	timer_init(&reader.retry, reader.loop, settle_waiting, NULL);
	loop_signal(reader.loop, SIGTERM, on_signal, reader.loop);
	loop_signal(reader.loop, SIGINT, on_signal, reader.loop);
	reader.store = message_store_new(reader.loop, &sc, on_store, NULL, err);
	if (reader.store == NULL)
		log_fatal("--store: %s", err);
	reader.queue = push_consumer_new(reader.loop, &qc, on_event, NULL, err);
	if (reader.queue == NULL)
		log_fatal("--queue: %s", err);
	loop_run(reader.loop);
	reader.ending = true;
	message_store_free(&reader.store);	/* its callbacks use the queue */
	push_consumer_free(&reader.queue);
	while ((n = list_shift(&reader.waiting)) != NULL)
		free(LIST_ENTRY(n, struct event, node));
	timer_free(&reader.retry);
	loop_free(&reader.loop);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "queue", required_argument, NULL, 'q' },
		{ "store", required_argument, NULL, 's' },
		{ "consumer", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	const char *queue = NULL, *store = NULL, *consumer = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'q')
			queue = optarg;
		else if (c == 's')
			store = optarg;
		else if (c == 'c')
			consumer = optarg;
		else
			usage();
	}
	if (queue == NULL || store == NULL || consumer == NULL || optind != argc)
		usage();
	signal(SIGPIPE, SIG_IGN);
	log_init("push_reader", LOG_LVL_INFO);
	run(queue, store, consumer);
	return 0;
}
