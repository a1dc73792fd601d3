#include "common/service/notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "common/base/log.h"
#include "common/loop/loop.h"

static struct {
	struct timer timer;
	int64_t every_ms;
	bool (*well)(void *arg);
	void *arg;
	bool ill;
} watchdog;

static void tell(const char *state)
{
	int rc = sd_notify(0, state);

	if (rc < 0)
		log_debug("sd_notify: %s", strerror(-rc));
}

void notify_ready(void)
{
	tell("READY=1");
}

void notify_reloading(void)
{
	tell("RELOADING=1");
}

void notify_stopping(void)
{
	tell("STOPPING=1");
}

void notify_extend(int64_t ms)
{
	char text[64];

	snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%" PRId64, ms * 1000);
	tell(text);
}

void notify_status(const char *fmt, ...)
{
	char line[512] = "STATUS=";
	size_t n = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	line[strcspn(line, "\n")] = '\0';
	tell(line);
}

static void on_watchdog(void *arg)
{
	bool ill = watchdog.well != NULL && !watchdog.well(watchdog.arg);

	(void)arg;
	if (ill != watchdog.ill && ill)
		log_err("stuck: the watchdog is not fed");
	else if (ill != watchdog.ill)
		log_info("no longer stuck");
	watchdog.ill = ill;
	if (!ill)
		tell("WATCHDOG=1");
	timer_arm(&watchdog.timer, watchdog.every_ms);
}

void notify_watchdog(struct loop *l, bool (*well)(void *arg), void *arg)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return;
	watchdog.well = well;
	watchdog.arg = arg;
	watchdog.every_ms = (int64_t)(usec / 3000);
	if (watchdog.every_ms < 1)
		watchdog.every_ms = 1;
	timer_init(&watchdog.timer, l, on_watchdog, NULL);
	timer_arm(&watchdog.timer, 0);
}

void notify_end(void)
{
	timer_free(&watchdog.timer);
}
