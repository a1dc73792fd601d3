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

extern enum log_level log_level_now;

/* `who` is copied: "master", "worker[12]". */
void log_init(const char *who, enum log_level level);
/* "error", "warning", "info", "debug" -> level; 0 or -EINVAL. */
int log_level_parse(const char *text, enum log_level *out) MUST_CHECK;
void log_write(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
/* log_err, then the process ends with status 1. For mistakes of our own
 * processes; never in answer to what a client sent. */
void log_fatal(const char *fmt, ...) PRINTF(1, 2) __attribute__((noreturn));

#define LOG_AT(level, ...)                              \
	do {                                            \
		if ((level) <= log_level_now)           \
			log_write((level), __VA_ARGS__); \
	} while (0)
#define log_err(...) LOG_AT(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LVL_DEBUG, __VA_ARGS__)

#endif
