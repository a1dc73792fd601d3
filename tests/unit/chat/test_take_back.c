/* What was read, told to pushd; the queue is faked. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "common/protocol/push_event.h"
#include "common/queue/push_queue.h"
#include "common/store/message_store.h"
#include "worker/chat/take_back.h"

static struct {
	int adds;
	char key[64], user[64];
	size_t n;
	char *json;
	push_add_cb *cb;
	void *arg;
} saw;

void push_queue_add(struct push_queue *q, const char *key, const char *user,
		    struct slice json, push_add_cb *cb, void *arg)
{
	(void)q;
	saw.adds++;
	snprintf(saw.key, sizeof(saw.key), "%s", key);
	snprintf(saw.user, sizeof(saw.user), "%s", user);
	free(saw.json);
	saw.json = strndup(json.p, json.n);
	saw.n = json.n;
	saw.cb = cb;
	saw.arg = arg;
}

static struct chat c;

static void setup(void)
{
	clock_fake_set(1000000, 5000000000);
	c.conf.push_ttl_ms = 1000;
}

static void teardown(void)
{
	buf_free(&c.scratch);
	free(saw.json);
}

TestSuite(take_back, .init = setup, .fini = teardown, .timeout = 240);

static struct message *rows(size_t n)
{
	struct message *m = calloc(n, sizeof(*m));

	for (size_t i = 0; i < n; i++)
		snprintf(m[i].id, sizeof(m[i].id), "%024zu", i + 1);
	return m;
}

Test(take_back, one_event_of_what_became_read)
{
	struct message *m = rows(2);
	struct push_event e;
	char why[128];

	chat_take_back(&c, "ben", "m1", m, 2);
	cr_expect_eq(saw.adds, 1);
	cr_expect_str_eq(saw.key, "r:000000000000000000000001");
	cr_expect_str_eq(saw.user, "ben");
	cr_expect_not_null(strstr(saw.json, "[\"000000000000000000000001\","
				  "\"000000000000000000000002\"]"), "%s", saw.json);
	cr_assert_eq(push_event_parse(slice_of(saw.json), &e, why), 0, "%s", why);
	cr_expect_str_eq(e.user_id, "ben");
	cr_expect_str_eq(e.type, PUSH_TYPE_READ);
	cr_expect_eq(e.expires_at_ms - e.queued_at_ms, 1000);
	push_event_clear(&e);
	saw.cb(saw.arg, 0);
	cr_expect_eq(stats_get(STAT_push_queued), 1);
	saw.cb(saw.arg, -ENOSPC);
	cr_expect_eq(stats_get(STAT_push_refused), 1);
	free(m);
}

Test(take_back, as_many_as_a_read_may_have)
{
	struct message *m = rows(PUSH_READ_IDS);
	struct push_event e;
	char why[128];

	chat_take_back(&c, "ben", "m1", m, PUSH_READ_IDS);
	cr_expect_eq(saw.adds, 1);
	cr_expect_leq(saw.n, PUSH_EVENT_MAX);
	cr_assert_eq(push_event_parse(slice_of(saw.json), &e, why), 0, "%s", why);
	cr_expect_eq(json_array_size(json_object_get(e.data, "messageIds")),
		     PUSH_READ_IDS);
	push_event_clear(&e);
	free(m);
}
