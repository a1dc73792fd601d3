#include "common/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"

static char log_who[48] = "pairwire";
static log_sink *log_sink_now;

void log_init(const char *who, enum log_level level)
{
	snprintf(log_who, sizeof(log_who), "%s", who);
	log_configure(level);
}

void log_set_sink(log_sink *sink)
{
	log_sink_now = sink;
}

/* One write per line, so that lines of several processes do not mix. */
PRINTF(2, 0)
static void log_line(enum log_level level, const char *fmt, va_list ap)
{
	char line[2048];
	char when[TIME_ISO_LEN + 1];
	int head, body;
	size_t len;

	time_iso(clock_wall_us() / 1000, when);
	head = snprintf(line, sizeof(line), "%s %-7s %s: ", when,
			log_level_name(level), log_who);
	body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, fmt, ap);
	if (body < 0)
		return;
	len = (size_t)head + (size_t)body;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	/* What a peer put into a field must not start a line of its own. */
	for (size_t i = (size_t)head; i < len; i++)
		if ((unsigned char)line[i] < 0x20)
			line[i] = '?';
	if (log_sink_now != NULL &&
	    log_sink_now(level, log_who,
			 (struct slice){ line + head, len - (size_t)head }))
		return;
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) == -1)
		return;		/* nowhere left to say so */
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(level, fmt, ap);
	va_end(ap);
}

void log_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LVL_ERR, fmt, ap);
	va_end(ap);
	exit(1);
}
