#include "tests/unit/pushd/sender_world.h"

#include "common/base/clock.h"

#define WALL_S INT64_C(1700000000)

struct test_key key;
struct loop *loop;
struct sender *sender;
static int64_t mono_ms;

size_t calls;
struct outcome last;
int64_t last_us;

void on_outcome(void *arg, const struct outcome *o, int64_t latency_us)
{
	cr_assert_eq(arg, &calls);
	calls++;
	last = *o;
	last_us = latency_us;
}

void pass(int64_t ms)
{
	mono_ms += ms;
	clock_fake_set(mono_ms * 1000, WALL_S * 1000000 + mono_ms * 1000);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

void turn(void)
{
	struct timer t;

	timer_init(&t, loop, stop, loop);
	timer_arm(&t, 0);
	loop_run(loop);
	timer_free(&t);
}

struct sender_conf conf(const char *name, const char *url)
{
	return (struct sender_conf){ .name = name, .url = url,
				     .connections = 2, .timeout_ms = 7000 };
}

void end_sender(void)
{
	sender_free(&sender);
	cr_assert_null(sender);
	cr_assert_eq(fake_h2_clients(), 0);
	loop_free(&loop);
	test_key_clear(&key);
	test_dir_remove();
}

void send_body(const char *token, const char *body)
{
	struct notification n = {
		.provider = sender_provider(sender),
		.collapse_id = "match-1",
		.token = token,
		.device_id = "device-1",
		.expires_s = 1700003600,
		.priority = 10,
	};

	buf_adds(&n.body, body);
	sender_send(sender, &n, on_outcome, &calls);
	buf_free(&n.body);
}

void send_to(const char *token)
{
	send_body(token, "{\"a\":1}");
}

void cr_last(enum outcome_kind kind, const char *reason)
{
	cr_assert_str_eq(outcome_kind_names[last.kind], outcome_kind_names[kind]);
	cr_assert_str_eq(last.reason, reason);
}
