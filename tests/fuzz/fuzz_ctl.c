/* What a client of the control socket sends: frames, requests, their lines in
 * the log. However the bytes are cut, the same requests come out; what is let
 * through fits its row. */
#include <errno.h>

#include "common/ipc/ctl_protocol.h"
#include "master/control/control_request.h"
#include "tests/fuzz/fuzz.h"

static void never(void *arg, struct control_request r, const json_t *args)
{
	(void)arg;
	(void)r;
	(void)args;
	abort();
}

static const struct control_command commands[] = {
#define COMMAND(name, words, min, max, who, help) \
	{ #name, words, min, max, CTL_##who, never },
	CTL_ROWS(COMMAND)
#undef COMMAND
	{ "log", "LEVEL [AREA]", 1, 2, CTL_CHANGE, never },
};

static void check_line(const struct control_question *q)
{
	char line[CONTROL_LINE_MAX];
	size_t n;

	control_line(q, line);
	n = strnlen(line, sizeof(line));
	CHECK(n < sizeof(line) && n >= strlen(q->command->name));
	for (size_t i = 0; i < n; i++)
		CHECK(line[i] >= ' ' && line[i] < 0x7f && line[i] != '=');
}

static void check_request(struct slice text)
{
	struct control_question q;
	char why[128];
	const char *error = control_parse(text, commands, ARRAY_SIZE(commands), &q,
					  why);

	CHECK((error == NULL) == (q.command != NULL));
	if (error != NULL) {
		CHECK(strlen(error) < sizeof(why));
	} else {
		size_t n = json_array_size(q.args);

		CHECK(json_is_array(q.args));
		CHECK(n >= q.command->min && n <= q.command->max);
		CHECK(strcmp(q.cmd, q.command->name) == 0);
		for (size_t i = 0; i < n; i++)
			CHECK(json_is_string(json_array_get(q.args, i)));
		check_line(&q);
	}
	control_question_free(&q);
}

/* Of all shorter beginnings of the frame: one that input chooses. */
static void check_cut(struct slice in, size_t n)
{
	size_t cut = chosen((const uint8_t *)in.p, in.n, n), m;
	struct slice text;
	int rc = control_frame((struct slice){ in.p, cut }, &text, &m);

	CHECK(rc == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };

	/* a request without its length, too */
	check_request(in);
	for (;;) {
		struct slice text = { 0 };
		size_t n = 0;
		int rc = control_frame(in, &text, &n);

		CHECK(rc == 0 || rc == 1 || rc == -EMSGSIZE);
		if (rc != 1)
			break;
		CHECK(n <= in.n && n == text.n + 4 && text.p == in.p + 4);
		CHECK(text.n <= CTL_REQUEST_MAX);
		check_cut(in, n);
		check_request(text);
		in = (struct slice){ in.p + n, in.n - n };
	}
	return 0;
}
