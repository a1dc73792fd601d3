/* What `pairwirectl top` shows, of any answer at any size. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "ctl/top_cells.h"
#include "ctl/top_layout.h"

TestSuite(top);

static json_t *worker(int slot, int instance, const char *state, int seconds)
{
	return json_pack("{s:i, s:i, s:i, s:s, s:i, s:i, s:i, s:i, s:i, s:i, "
			 "s:i, s:i, s:[i,i,i,i], s:[i,i,i,i]}",
			 "slot", slot, "instance", instance, "pid", 100 + slot,
			 "state", state, "uptime_ms", 5000, "connections",
			 12345, "sessions_polling", 12, "users", 9876,
			 "messages_accepted", 1000 * seconds, "messages_emitted",
			 3 * seconds, "cpu_us", 950000 * seconds, "rss",
			 123 << 20,
			 /* of 100 a second half are below 1 ms, 90 below 2 */
			 "store_us", 100 * seconds, 50 * seconds, 90 * seconds,
			 100 * seconds, "confirm_us", 0, 0, 0, 0);
}

static json_t *host(int seconds, int workers)
{
	json_t *list = json_array();

	/* in no order */
	for (int i = workers - 1; i >= 0; i--)
		json_array_append_new(list, worker(i, 1000 + i, "ready", seconds));
	return json_pack("{s:s, s:s, s:s, s:i, s:I, s:i, s:i, s:i, s:[i,i,i], "
			 "s:[{s:s,s:i,s:i},{s:s,s:i,s:i},{s:s,s:i,s:i}], s:o}",
			 "version", "1.2.3", "node", "n1", "state", "ready",
			 "uptime_ms", 273600000, "mono_us",
			 (json_int_t)1000000 * (100 + seconds), "slots", workers,
			 "ready", workers, "online", 20001, "bounds_us", 1000,
			 2000, 4000, "backends", "name", "redis", "workers",
			 workers, "up", workers, "name", "postgres", "workers",
			 workers, "up", 1, "name", "store", "workers", workers,
			 "up", 0, "workers", list);
}

/* "\0"-terminated, the caller's. */
static char *shown(const json_t *before, const json_t *now,
		   const struct top_view *view, size_t *most)
{
	struct top_sample a, b;
	struct buf out = { 0 };
	size_t n;

	top_sample_read(before, &a);
	top_sample_read(now, &b);
	n = top_layout(before != NULL ? &a : NULL, &b, view, &out);
	if (most != NULL)
		*most = n;
	top_sample_free(&a);
	top_sample_free(&b);
	(void)buf_str(&out);
	return out.p;
}

Test(top, reads_like_this)
{
	static const char want[] =
		"pairwire 1.2.3 on n1: ready, up 3d 4h, 2 of 2 workers                   12:00:01\n"
		"24,690 connections (24 polling), 19,752 users here, 20,001 in the cluster\n"
		"backends: redis up, postgres 1/2, store DOWN\n"
		"\n"
		"                                   messages/s   stored in   confirmed\n"
		"slot    inst state      conns users   in  out   p50   p99   p50   p99   cpu  mem\n"
		" all                    24690 19752 2000  6.0 1.0ms 3.8ms     -     -  190% 246M\n"
		"   0    1000 ready      12345  9876 1000  3.0 1.0ms 3.8ms     -     -   95% 123M\n"
		"   1    1001 ready      12345  9876 1000  3.0 1.0ms 3.8ms     -     -   95% 123M\n";
	struct top_view view = { .columns = 80, .clock = "12:00:01" };
	json_t *before = host(1, 2), *now = host(2, 2);
	char *text = shown(before, now, &view, NULL);

	cr_expect_str_eq(text, want);
	free(text);
	view.trouble = "no answer from the master";
	text = shown(NULL, now, &view, NULL);
	cr_expect_not_null(strstr(text, "\nno answer from the master\n"));
	cr_expect_not_null(strstr(text, "   1    1001 ready      12345  9876    "
				  "-    -     -     -     -     -     - 123M\n"));
	free(text);
	json_decref(before);
	json_decref(now);
}

/* What the master cuts, it reads: all of 100 messages took 1.1 to 1.2 ms. */
Test(top, reads_as_many_bounds_as_there_are)
{
	json_t *then = host(1, 1), *now = host(2, 1), *cut = json_array();
	json_t *bounds = json_array(), *w;
	struct top_sample a, b;
	struct top_worker sum;
	struct top_rates rates;

	json_array_append_new(cut, json_integer(100));
	for (int i = 1; i <= 100; i++) {
		json_array_append_new(bounds, json_integer(100 * i));
		json_array_append_new(cut, json_integer(i < 12 ? 0 : 100));
	}
	w = json_array_get(json_object_get(then, "workers"), 0);
	json_object_set_new(w, "store_us", json_array());
	json_object_set(then, "bounds_us", bounds);
	w = json_array_get(json_object_get(now, "workers"), 0);
	json_object_set_new(w, "store_us", cut);
	json_object_set_new(now, "bounds_us", bounds);
	top_sample_read(then, &a);
	top_sample_read(now, &b);
	top_total(&a, &b, &sum, &rates);
	cr_expect_eq(rates.stored_p50_us, 1150);
	cr_expect_eq(rates.stored_p99_us, 1199);
	cr_expect_eq(b.nbounds, 100);
	cr_expect_eq(sum.stored.below[99], 100);
	top_rates_of(&a, &b, &b.workers[0], &rates);
	cr_expect_eq(rates.stored_p50_us, 1150);
	top_sample_free(&a);

	/* An earlier program cut elsewhere. */
	json_array_set_new(json_object_get(then, "bounds_us"), 0, json_integer(7));
	top_sample_read(then, &a);
	top_total(&a, &b, &sum, &rates);
	cr_expect_eq(rates.stored_p50_us, -1);
	cr_expect_eq(rates.stored_p99_us, -1);
	cr_expect_gt(rates.accepted, 0);
	top_rates_of(&a, &b, &b.workers[0], &rates);
	cr_expect_eq(rates.stored_p50_us, -1);
	top_sample_free(&a);
	top_sample_free(&b);
	json_decref(then);
	json_decref(now);
}

/* Which is down is seen at 80 columns, too. */
Test(top, backends_that_do_not_fit_have_a_line_of_their_own)
{
	static const char *const names[] = {
		"redis", "redis_sub", "postgres", "listen", "store", "push"
	};
	struct top_view view = { .columns = 80, .clock = "" };
	json_t *now = host(1, 2), *backends = json_array();
	char *text;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		json_array_append_new(backends, json_pack(
			"{s:s, s:i, s:i}", "name", names[i], "workers", 2, "up",
			0));
	json_object_set_new(now, "backends", backends);
	text = shown(NULL, now, &view, NULL);
	cr_expect_not_null(strstr(text, "\nbackends: redis DOWN, redis_sub DOWN, "
				  "postgres DOWN, listen DOWN, store DOWN,\n"
				  "          push DOWN\n"), "%s", text);
	free(text);
	json_decref(now);
}

Test(top, of_drains_and_upgrades)
{
	struct top_view view = { .columns = 80, .clock = "" };
	json_t *now = host(2, 1), *w = worker(0, 999, "draining", 2);
	char *text;

	json_object_set_new(w, "left_ms", json_integer(29 * 60000 + 59999));
	json_array_append_new(json_object_get(now, "workers"), w);
	json_array_append_new(json_object_get(now, "workers"),
			      json_pack("{s:i, s:s}", "slot", 1, "state",
					"backoff"));
	json_object_set_new(now, "upgrade",
			    json_pack("{s:s, s:s, s:s}", "state", "failed", "to",
				      "9.9", "reason", "it does not run"));
	text = shown(NULL, now, &view, NULL);
	cr_expect_not_null(strstr(text, "\nupgrade to 9.9 failed: it does not "
				  "run\n"), "%s", text);
	cr_expect_not_null(strstr(text, "\n   0     999 drain 29m"), "%s", text);
	free(text);
	json_object_set_new(json_object_get(now, "upgrade"), "to", json_null());
	text = shown(NULL, now, &view, NULL);
	cr_expect_not_null(strstr(text, "\nupgrade failed: it does not run\n"),
			   "%s", text);
	cr_expect_not_null(strstr(text, "\n   1       - backoff        -     - "),
			   "%s", text);
	free(text);
	json_decref(now);
}

/* Lines and columns are kept, whatever they are; what begins is whole. */
Test(top, fits_any_size)
{
	for (int workers = 0; workers < 70; workers += 23) {
		json_t *before = host(1, workers), *now = host(2, workers);

		for (int columns = 1; columns < 200; columns++) {
			struct top_view view = { .columns = columns, .lines = 1 +
				columns % 40, .keys = true, .clock = "12:00:01" };
			char *text = shown(before, now, &view, NULL), *at = text;
			int lines = 0;

			for (; *at != '\0'; lines++) {
				size_t n = strcspn(at, "\n");

				cr_assert_leq((int)n, columns, "%s", text);
				cr_assert_eq(at[n], '\n');
				at += n + 1;
			}
			cr_assert_leq(lines, view.lines);
			if (columns >= 24)
				cr_assert(view.lines < 7 ||
					  strstr(text, "\nslot state ") != NULL ||
					  strstr(text, "\nslot ") != NULL);
			free(text);
		}
		json_decref(before);
		json_decref(now);
	}
}

Test(top, scrolls_to_the_last)
{
	struct top_view view = { .columns = 80, .lines = 24, .keys = true,
				 .clock = "" };
	json_t *now = host(2, 64);
	size_t most = 0;
	char *text = shown(NULL, now, &view, &most);

	cr_expect_eq(most, 64 - (24 - 7 - 1));
	cr_expect_not_null(strstr(text, "scroll (workers 1 to 16 of 64)\n"), "%s",
			   text);
	free(text);
	view.first = 1000;
	text = shown(NULL, now, &view, &most);
	cr_expect_not_null(strstr(text, "\n  63    1063 ready"), "%s", text);
	cr_expect_not_null(strstr(text, "scroll (workers 49 to 64 of 64)\n"),
			   "%s", text);
	free(text);
	json_decref(now);
}

Test(top, cells_keep_their_width)
{
	for (int64_t n = 0; n < 1000000000000000; n = n * 17 / 16 + 1) {
		cr_expect_leq(strlen(top_time(n).text), 5, "%lld us: %s",
			      (long long)n, top_time(n).text);
		cr_expect_leq(strlen(top_bytes(n).text), 4, "%lld: %s",
			      (long long)n, top_bytes(n).text);
		cr_expect_leq(strlen(top_count((double)n, 4).text), 4, "%lld: %s",
			      (long long)n, top_count((double)n, 4).text);
	}
	cr_expect_str_eq(top_time(999).text, "999us");
	cr_expect_str_eq(top_time(2149).text, "2.1ms");
	cr_expect_str_eq(top_time(999600).text, "1.0s");
	cr_expect_str_eq(top_bytes(1000 << 20).text, "1.0G");
	cr_expect_str_eq(top_count(123456, 5).text, "123k");
	cr_expect_str_eq(top_digits(1234567).text, "1,234,567");
	cr_expect_str_eq(top_digits(-1).text, "-");
}
