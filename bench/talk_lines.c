#include "bench/talk_lines.h"

#include <string.h>

static const struct {
	unsigned speaker;
	const char *text;	/* '@': the other one's name */
} lines[] = {
	{ 0, "Hi @! Is the bread in your photo really yours?" },
	{ 1, "Hi @ :) It is." },
	{ 1, "Sourdough. It even has a name." },
	{ 0, "I have to meet it." },
	{ 0, "Coffee on Saturday?" },
	{ 1, "Saturday at eleven. I'll bring a loaf \xf0\x9f\x8d\x9e" },
	{ 0, "Then I'll bring the butter." },
	{ 1, "Salted?" },
	{ 0, "Is there another kind?" },
	{ 1, "Right answer." },
	{ 0, "Until Saturday, @!" },
	{ 1, "Until Saturday!" },
};

unsigned talk_line_speaker(unsigned i)
{
	return lines[i % ARRAY_SIZE(lines)].speaker;
}

void talk_line_text(unsigned i, const char *listener, struct buf *out)
{
	const char *text = lines[i % ARRAY_SIZE(lines)].text;
	const char *at = strchr(text, '@');

	if (at != NULL) {
		buf_add(out, text, (size_t)(at - text));
		buf_adds(out, listener);
		text = at + 1;
	}
	buf_adds(out, text);
	if (i >= ARRAY_SIZE(lines))
		buf_printf(out, " (%u)", i / (unsigned)ARRAY_SIZE(lines) + 1);
}
