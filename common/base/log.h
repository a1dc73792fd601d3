/* Log lines to standard error: time, level, process, text. Text is a sentence
 * followed by key=value fields; never a token, never a message's content.
 * Arguments of a switched-off level are not evaluated. */
#ifndef PW_LOG_H
#define PW_LOG_H

#include <stdarg.h>
#include <stdbool.h>

#include "common/base/base.h"

/* The numbers are syslog's (RFC 5424 6.2.1). */
enum log_level { LOG_LVL_ERR = 3, LOG_LVL_WARN = 4, LOG_LVL_INFO = 6, LOG_LVL_DEBUG = 7 };

/* The highest of all areas (log_areas.h): what a line that is not written costs
 * is one comparison with it. */
extern enum log_level log_level_now;

/* `who` is copied: "master", "worker[12]". level: as log_configure(). */
void log_init(const char *who, enum log_level level);
/* The level of all areas, from now on. Overrides end. */
void log_configure(enum log_level level);
/* Another level for the lines of one area; "": of all. LOG_LVL_CONFIGURED ends
 * it. 0; -EINVAL: no such level or area, and nothing changed. */
#define LOG_LVL_CONFIGURED (-1)
int log_override(int level, const char *area) MUST_CHECK;
/* Is this source file's (__FILE__) line to be written? */
bool log_wanted(enum log_level level, const char *file);

/* Takes lines instead of standard error; from any thread, and it does not log.
 * text: without control characters, not NUL-terminated. False: the line goes to
 * standard error after all. */
typedef bool log_sink(enum log_level level, const char *who, struct slice text);
void log_set_sink(log_sink *sink);

/* "error", "warning", "info", "debug" -> level; 0 or -EINVAL. */
int log_level_parse(const char *text, enum log_level *out) MUST_CHECK;
const char *log_level_name(enum log_level level);
/* The names of log_areas.h, numbered from 0; NULL behind the last one. */
const char *log_area_name(unsigned n);
/* The number of a source file's area, or -1. Both are paths as one build gives
 * them to the compiler; self is that of log_level.c: what stands before it
 * ("../", "/build/") stands before all. */
int log_area_of(const char *file, const char *self);

void log_write(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
/* log_err, then the process ends with status 1. For mistakes of our own
 * processes; never in answer to what a client sent. */
void log_fatal(const char *fmt, ...) PRINTF(1, 2) __attribute__((noreturn));

#define LOG_AT(level, ...)                                                      \
	do {                                                                    \
		if ((level) <= log_level_now && log_wanted((level), __FILE__)) \
			log_write((level), __VA_ARGS__);                        \
	} while (0)
#define log_err(...) LOG_AT(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LVL_DEBUG, __VA_ARGS__)

#endif
