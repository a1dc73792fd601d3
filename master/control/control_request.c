#include "master/control/control_request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "common/ipc/ctl_protocol.h"

int control_frame(struct slice in, struct slice *text_out, size_t *n_out)
{
	uint32_t n;

	if (in.n < sizeof(n))
		return 0;
	memcpy(&n, in.p, sizeof(n));
	n = ntohl(n);
	if (n > CTL_REQUEST_MAX)
		return -EMSGSIZE;
	if (in.n - sizeof(n) < n)
		return 0;
	*text_out = (struct slice){ in.p + sizeof(n), n };
	*n_out = sizeof(n) + n;
	return 1;
}

static bool strings_only(const json_t *args)
{
	for (size_t i = 0; i < json_array_size(args); i++)
		if (!json_is_string(json_array_get(args, i)))
			return false;
	return true;
}

static const struct control_command *find(const char *name,
					  const struct control_command *commands,
					  size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

const char *control_parse(struct slice text,
			  const struct control_command *commands, size_t n,
			  struct control_question *out, char why[128])
{
	json_t *root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	json_t *args = json_object_get(root, "args");
	json_t *version = json_object_get(root, "v");
	const struct control_command *c;
	size_t given;

	*out = (struct control_question){
		.root = root,
		.cmd = json_string_value(json_object_get(root, "cmd")),
		.args = args,
	};
	if (json_integer_value(version) != CTL_VERSION)
		return "unknown version of the protocol";
	if (out->cmd == NULL || (args != NULL && !json_is_array(args)) ||
	    !strings_only(args))
		return "malformed request";
	if (args == NULL) {
		out->args = json_array();
		json_object_set_new(root, "args", out->args);
	}
	c = find(out->cmd, commands, n);
	if (c == NULL)
		return "unknown command";
	given = json_array_size(out->args);
	if (given < c->min || given > c->max) {
		snprintf(why, 128, "usage: %s %s", c->name, c->words);
		return why;
	}
	out->command = c;
	return NULL;
}

void control_question_free(struct control_question *q)
{
	json_decref(q->root);
	*q = (struct control_question){ 0 };
}

static size_t put(char out[CONTROL_LINE_MAX], size_t at, const char *s)
{
	for (; *s != '\0' && at < CONTROL_LINE_MAX - 1; s++)
		out[at++] = *s > ' ' && *s < 0x7f && *s != '=' ? *s : '?';
	out[at] = '\0';
	return at;
}

void control_line(const struct control_question *q, char out[CONTROL_LINE_MAX])
{
	size_t at = put(out, 0, q->command->name);

	for (size_t i = 0; i < json_array_size(q->args); i++) {
		if (at < CONTROL_LINE_MAX - 1)
			out[at++] = ' ';
		at = put(out, at, json_string_value(json_array_get(q->args, i)));
	}
}
