/* What a reload changes, and what it keeps. */
#include "config.h"	/* memfd_create */

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/conf/conf_change.h"
#include "common/conf/conf_keys.h"
#include "common/conf/conf_show.h"
#include "tests/unit/conf_text.h"

static void collect(void *arg, const char *key, enum conf_when when)
{
	buf_printf(arg, "%s:%s ", key, conf_when_name(when));
}

static void expect_diff(const struct conf *was, const struct conf *is,
			const char *expected)
{
	struct buf names = { 0 };

	conf_diff(was, is, collect, &names);
	cr_expect_str_eq(buf_str(&names), expected);
	buf_free(&names);
}

/* As a worker has it: its texts do not say what was made of others. */
Test(conf, what_differs_from_a_workers)
{
	struct conf *was = load_good("[redis]\nredis_port = 1\n[limits]\n"
				     "message_rate = 1\n" GOOD);
	struct conf *is = load_good("[redis]\nredis_port = 2\n" GOOD), *workers = NULL;
	struct buf names = { 0 }, text = { 0 };
	int fd = memfd_create("test", MFD_CLOEXEC);
	char err[CONF_ERR_MAX];

	conf_write(was, &text);
	cr_assert_eq(write(fd, text.p, text.len), (ssize_t)text.len);
	cr_assert_eq(conf_read_fd(fd, &workers, err), 0, "%s", err);
	conf_diff_worker(workers, was, collect, &names);
	cr_expect_str_eq(buf_str(&names), "");
	conf_diff_worker(workers, is, collect, &names);
	cr_expect_str_eq(buf_str(&names), "redis_port:workers ");
	close(fd);
	buf_free(&text);
	buf_free(&names);
	conf_free(&workers);
	conf_free(&was);
	conf_free(&is);
}

Test(conf, what_differs)
{
	static const struct {
		const char *was, *is, *diff;
	} t[] = {
		{ "", "", "" },
		{ "[server]\nport = 3001\nstop_timeout = 10000ms\n", "", "" },
		{ "", "[server]\nport = 0\n", "port:restart " },
		{ "[limits]\nmessage_rate = 1\n[log]\nlog_level = debug\n",
		  "[limits]\nmessage_rate = 2\n",
		  "log_level:live message_rate:live " },
		/* Not what is made of them. */
		{ "", "[server]\nrun_dir = /r\n", "run_dir:restart " },
		{ "", "[server]\nnode = somewhere\n", "node:restart " },
		{ "[redis]\nredis_password = a\n", "[redis]\nredis_password = b\n",
		  "redis_password:workers " },
		{ "", "[push]\npush_queue_url = redis://h\n",
		  "push_queue_url:workers " },
		{ "[push]\npush_queue_url = redis://h\n",
		  "[push]\npush_queue_url = redis://h\n[redis]\nredis_host = x\n",
		  "redis_host:workers " },
		{ "[server]\ncontrol_socket = /s\n[pushd]\npushd_name = p\n", "",
		  "control_socket:restart pushd_name:pushd " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct conf *was, *is;
		char text[512];

		snprintf(text, sizeof(text), "%s" GOOD, t[i].was);
		was = load_good(text);
		snprintf(text, sizeof(text), "%s" GOOD, t[i].is);
		is = load_good(text);
		expect_diff(was, is, t[i].diff);
		conf_free(&was);
		conf_free(&is);
	}
}

Test(conf, secrets_that_differ)
{
	struct conf *was = load_good(GOOD);
	struct conf *is = load_good("[auth]\njwt_secret = t\n[directory]\n"
				    "database_url = postgresql://h/e\n");

	expect_diff(was, is, "jwt_secret:live database_url:workers ");
	conf_free(&was);
	conf_free(&is);
}

#define BEFORE "[server]\nnode = a\nrun_dir = /a\nport = 1\n[limits]\n" \
	"message_rate = 1\n" GOOD
#define AFTER "[limits]\nmessage_rate = 2\n[redis]\nredis_host = r\n" \
	"[server]\nnode = b\nrun_dir = /b\nport = 2\n" GOOD

Test(conf, what_is_kept)
{
	struct conf *was = load_good(BEFORE), *fresh = load_good(AFTER);
	const char *borrowed = was->run_dir;

	conf_keep(fresh, was);
	cr_expect_str_eq(fresh->node, "a");
	cr_expect_str_eq(fresh->run_dir, "/a");
	cr_expect_str_eq(fresh->control_socket, "/a/control.sock");
	cr_expect_eq(fresh->port, 1);
	cr_expect_str_eq(fresh->pushd_name, "a", "made of node");
	cr_expect_eq(fresh->message_rate, 2);
	cr_expect_str_eq(fresh->push_queue_url, "redis://r:6379/0");
	conf_free(&was);
	cr_expect_eq(fresh->run_dir, borrowed, "who borrowed it, has it");
	conf_free(&fresh);
}

Test(conf, what_is_kept_and_given_back)
{
	struct conf *was = load_good(BEFORE), *fresh = load_good(AFTER);
	struct conf *same = load_good(BEFORE);

	conf_keep(fresh, was);
	conf_keep(fresh, was);
	expect_diff(was, same, "");
	expect_diff(was, fresh, "port:restart node:restart run_dir:restart "
		    "message_rate:live redis_host:workers ");
	conf_free(&was);
	conf_free(&fresh);
	conf_free(&same);
}

/* As often as somebody asks, until the restart. */
Test(conf, what_waits_is_told_again)
{
	struct conf *now = load_good(BEFORE);

	for (int i = 0; i < 3; i++) {
		struct conf *fresh = load_good(AFTER);

		expect_diff(now, fresh, i == 0 ?
			    "port:restart node:restart run_dir:restart "
			    "message_rate:live redis_host:workers " :
			    "port:restart node:restart run_dir:restart ");
		conf_keep(fresh, now);
		conf_free(&now);
		now = fresh;
	}
	conf_free(&now);
}

static void expect_line(const struct conf *c, const char *key, const char *value,
			const char *origin)
{
	struct conf_line l;

	for (unsigned n = 0; conf_line(c, n, &l); n++) {
		if (strcmp(l.key, key) == 0) {
			const char *from = buf_str(&l.origin);

			if (strncmp(from, "/proc/self/fd/", 14) == 0)
				from = strchr(from, ':');
			cr_expect_str_eq(buf_str(&l.value), value, "%s", key);
			cr_expect_str_eq(from, origin, "%s", key);
			conf_line_free(&l);
			return;
		}
		conf_line_free(&l);
	}
	cr_assert_fail("no key %s", key);
}

Test(conf, lines)
{
	struct conf *c, *fresh;

	setenv("REDIS_PASSWORD", "hush", 1);
	setenv("PAIRWIRE_MESSAGE_RATE", "7", 1);
	c = load_good("[server]\nnode = a\n[engine]\nmax_payload = 8192\n"
		      "[http]\nallowed_origins = \"a://b, c://d\"\n"
		      "[redis]\nredis_host = \" odd\"\n" GOOD);
	expect_line(c, "node", "a", ":2");
	expect_line(c, "max_payload", "8k", ":4");
	expect_line(c, "stop_timeout", "10s", "default");
	expect_line(c, "cors_credentials", "on", "default");
	expect_line(c, "permessage_deflate", "off", "default");
	expect_line(c, "allowed_origins", "a://b, c://d", ":6");
	expect_line(c, "redis_host", "\" odd\"", ":8");
	expect_line(c, "message_rate", "7", "environment PAIRWIRE_MESSAGE_RATE");
	expect_line(c, "redis_password", "(set)", "environment REDIS_PASSWORD");
	expect_line(c, "jwt_secret", "(set)", ":10");
	expect_line(c, "firebase_private_key", "(empty)", "default");
	expect_line(c, "store_url", "postgresql://h/d",
		    "default, from other keys");
	expect_line(c, "push_queue_url", "redis://***@%20odd:6379/0",
		    "default, from other keys");
	fresh = load_good("[server]\nnode = b\n[redis]\nredis_host = x\n" GOOD);
	conf_keep(fresh, c);
	expect_line(fresh, "node", "a",
		    ":2, as read at the start; it has changed since");
	expect_line(fresh, "redis_host", "x", ":4");
	conf_free(&c);
	conf_free(&fresh);
}

/* Whatever a secret is, no part of it is shown. */
Test(conf, masked_urls)
{
	static const struct {
		const char *url, *shown;
	} t[] = {
		{ "postgresql://h/d", "postgresql://h/d" },
		{ "postgresql://u:SECRET@h:5432/d?sslmode=require",
		  "postgresql://***@h:5432/d?sslmode=require" },
		{ "postgresql://h/d?password=SECRET&sslmode=require",
		  "postgresql://h/d?password=***&sslmode=require" },
		{ "postgresql://h/d?sslmode=SECRET;SECRET",
		  "postgresql://h/d?sslmode=***" },
		{ "postgresql://h/d?SECRET", "postgresql://h/d?***" },
		{ "postgresql://u:SEC/RET@h/d", "postgresql://***@h/d" },
		{ "postgresql://u:SEC?RET@h/d", "postgresql://***@h/d" },
		{ "postgresql://u:SEC#RET@h/d", "postgresql://***@h/d" },
		{ "postgresql://u:SEC@RET@h/d", "postgresql://***@h/d" },
		{ "postgresql://u:SE://CRET@h/d", "postgresql://***@h/d" },
		{ "postgresql://h/d#SECRET", "postgresql://h/d" },
		{ "mongodb://u:SECRET@a:1,b:2/d?replicaSet=r0&w=SECRET",
		  "mongodb://***@a:1,b:2/d?replicaSet=r0&w=***" },
		{ "redis+unix://:SECRET@/run/r.sock?db=3",
		  "redis+unix://***@/run/r.sock?db=3" },
		{ "kafka://a:1,b:2", "kafka://a:1,b:2" },
		{ "SECRET", "(set)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct buf b = { 0 };

		conf_mask_url(t[i].url, &b);
		cr_expect_str_eq(buf_str(&b), t[i].shown);
		buf_free(&b);
	}
}

/* Not even when it looks like a URL. */
Test(conf, a_secret_like_a_url)
{
	struct conf *c = load_good("[auth]\njwt_secret = se://cret\n[directory]\n"
				   "database_url = postgresql://h/d\n");

	expect_line(c, "jwt_secret", "(set)", ":2");
	conf_free(&c);
}

/* Keys that count later, or not here, stay. */
Test(conf, live_values_are_taken)
{
	struct conf *into = load_good(GOOD "[engine]\nhead_timeout = 1s\n"
					   "[http]\nallowed_origins = *\n");
	struct conf *from = load_good(
		"[auth]\njwt_secret = t\n"
		"[directory]\ndatabase_url = postgresql://other/d\n"
		"[engine]\nhead_timeout = 2s\nping_interval = 1s\n"
		"[http]\nallowed_origins = *\n[server]\nport = 7\n");

	conf_take_live(into, from);
	cr_expect_eq(into->head_timeout, 2000);
	cr_expect_str_eq(into->jwt_secret, "t");
	cr_expect_str_eq(from->jwt_secret, "s");
	cr_expect_str_eq(into->allowed_origins, "*");
	cr_expect_eq(into->ping_interval, 25000);
	cr_expect_eq(into->port, 3001u);
	cr_expect_str_eq(into->database_url, "postgresql://h/d");
	conf_free(&into);
	conf_free(&from);
}
