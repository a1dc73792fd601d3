#include "ctl/top.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "ctl/ask.h"
#include "ctl/colour.h"
#include "ctl/print.h"
#include "ctl/screen.h"
#include "ctl/top_layout.h"

#define ASK_MS 3000
#define PLAIN_COLUMNS 160

struct top {
	const struct call *call;
	int64_t delay_ms;
	struct top_sample before, now;
	bool has_before, has_now;
	size_t first, most;
	char trouble[128];	/* "": none */
};

/* Without an answer the last two stay. 0 or -errno. */
static int take(struct top *t)
{
	json_t *data = NULL;
	int rc = ask_quietly(t->call, "top", ASK_MS, &data, NULL);

	t->trouble[0] = '\0';
	if (rc != 0) {
		snprintf(t->trouble, sizeof(t->trouble),
			 "no answer from the master: %s; this is the last one",
			 rc == -EPROTO ? "it makes no sense" : strerror(-rc));
		return rc;
	}
	answer_clean(data);
	top_sample_free(&t->before);
	t->before = t->now;
	t->has_before = t->has_now;
	top_sample_read(data, &t->now);
	t->has_now = true;
	json_decref(data);
	return 0;
}

static void write_clock(char out[16])
{
	time_t now = time(NULL);
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL || strftime(out, 16, "%T", &tm) == 0)
		*out = '\0';
}

static void draw(struct top *t, struct top_view *view, struct buf *out)
{
	char clock[16];

	write_clock(clock);
	view->clock = clock;
	view->first = t->first;
	view->trouble = *t->trouble != '\0' ? t->trouble : NULL;
	buf_clear(out);
	t->most = top_layout(t->has_before ? &t->before : NULL, &t->now, view,
			     out);
	view->clock = "";
}

static void show_screen(struct top *t)
{
	struct top_view view = { .keys = true, .colour = colour_wanted(stdout) };
	struct buf out = { 0 };

	screen_size(&view.columns, &view.lines);
	draw(t, &view, &out);
	screen_show(buf_slice(&out));
	buf_free(&out);
}

static void scroll(struct top *t, enum screen_key key)
{
	size_t step = key == SCREEN_UP || key == SCREEN_DOWN ? 1 : 10;

	t->first = t->first < t->most ? t->first : t->most;
	if (key == SCREEN_UP || key == SCREEN_PAGE_UP)
		t->first -= t->first < step ? t->first : step;
	else if (key == SCREEN_DOWN || key == SCREEN_PAGE_DOWN)
		t->first += step;
	else if (key == SCREEN_HOME)
		t->first = 0;
	else if (key == SCREEN_END)
		t->first = t->most;
	if (t->first > t->most)
		t->first = t->most;
}

/* Until the next one is due. false: enough. */
static bool rest(struct top *t, int64_t due_ms)
{
	for (;;) {
		enum screen_key key = screen_wait(due_ms - clock_mono_ms());

		if (key == SCREEN_NOTHING)
			return true;
		if (key == SCREEN_QUIT)
			return false;
		if (key == SCREEN_OTHER)
			continue;
		scroll(t, key);
		show_screen(t);
	}
}

static int run_screen(struct top *t)
{
	int64_t due_ms = clock_mono_ms();
	int rc;

	rc = screen_open();
	if (rc != 0) {
		fprintf(stderr, "pairwirectl: this terminal: %s\n", strerror(-rc));
		return EXIT_REFUSED;
	}
	show_screen(t);
	for (int n = 1; t->call->count == 0 || n < t->call->count; n++) {
		due_ms += t->delay_ms;
		if (due_ms < clock_mono_ms())
			due_ms = clock_mono_ms();
		if (!rest(t, due_ms))
			break;
		(void)take(t);
		show_screen(t);
	}
	screen_close();
	return EXIT_OK;
}

static int plain_columns(void)
{
	const char *env = getenv("COLUMNS");
	int columns = env != NULL ? atoi(env) : 0, lines;

	if (columns <= 0 && isatty(STDOUT_FILENO))
		screen_size(&columns, &lines);
	return columns > 0 && columns < 1000 ? columns : PLAIN_COLUMNS;
}

static int run_plain(struct top *t)
{
	struct top_view view = { .columns = plain_columns(),
				 .colour = colour_wanted(stdout) };
	const struct timespec pause = { .tv_sec = t->delay_ms / 1000,
					.tv_nsec = t->delay_ms % 1000 * 1000000 };
	int count = t->call->count;
	struct buf out = { 0 };

	if (count == 0 && !(t->call->batch && isatty(STDOUT_FILENO)))
		count = 1;
	for (int n = 0; count == 0 || n < count; n++) {
		nanosleep(&pause, NULL);
		if (take(t) != 0) {
			fprintf(stderr, "pairwirectl: %s\n", t->trouble);
			buf_free(&out);
			return EXIT_UNREACHABLE;
		}
		draw(t, &view, &out);
		if (n > 0)
			putchar('\n');
		fwrite(out.p, 1, out.len, stdout);
		fflush(stdout);
	}
	buf_free(&out);
	return EXIT_OK;
}

int top_run(const struct call *call)
{
	struct top t = { .call = call,
			 .delay_ms = (int64_t)(1000 * (call->delay_s > 0 ?
						       call->delay_s : 1)) };
	json_t *data = NULL;
	int status;

	/* the first one says what is wrong, if anything is */
	status = ask(call, "top", ASK_MS, &data);
	if (status != EXIT_OK)
		return status;
	answer_clean(data);
	top_sample_read(data, &t.now);
	t.has_now = true;
	json_decref(data);
	status = !call->batch && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ?
			 run_screen(&t) : run_plain(&t);
	top_sample_free(&t.before);
	top_sample_free(&t.now);
	return status;
}

/* With --json only: one sample, as it is. */
void print_top(const json_t *data)
{
	(void)data;
}
