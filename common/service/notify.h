/* What a service tells systemd: sd_notify(3), sd_watchdog_enabled(3). All of it
 * does nothing when nobody listens (NOTIFY_SOCKET unset). */
#ifndef PW_NOTIFY_H
#define PW_NOTIFY_H

#include "common/base/base.h"

struct loop;

void notify_ready(void);
void notify_reloading(void);	/* followed by notify_ready() */
void notify_stopping(void);
/* A start, reload or stop that goes on may take that much longer from now. */
void notify_extend(int64_t ms);
/* One line for `systemctl status`. */
void notify_status(const char *fmt, ...) PRINTF(1, 2);
/* Feeds the watchdog from the loop, at a third of what systemd asked for, as long
 * as well() (which may be NULL) says so. Once. */
void notify_watchdog(struct loop *l, bool (*well)(void *arg), void *arg);
/* Ends the watchdog's timer: before the loop is freed. */
void notify_end(void);

#endif
