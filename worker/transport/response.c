#include "worker/transport/response.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"

static const struct {
	unsigned status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 204, "No Content" },
	{ 400, "Bad Request" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 413, "Content Too Large" },
	{ 417, "Expectation Failed" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
};

const char *response_reason(unsigned status)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Error";
}

struct response response_text(unsigned status, const char *body)
{
	return (struct response){
		.status = status,
		.type = "text/plain; charset=UTF-8",
		.body = { body, strlen(body) },
	};
}

/* "Date: Tue, 15 Nov 1994 08:12:31 GMT", made once a second. */
static const char *date(void)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu",
					"Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May",
					  "Jun", "Jul", "Aug", "Sep", "Oct",
					  "Nov", "Dec" };
	static time_t of;
	static char text[128];
	time_t now = (time_t)(clock_wall_us() / 1000000);
	struct tm tm;

	if (now == of && text[0] != '\0')
		return text;
	of = now;
	gmtime_r(&now, &tm);
	/* not strftime(), whose names are the locale's */
	snprintf(text, sizeof(text),
		 "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n",
		 days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
		 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return text;
}

void response_head(struct buf *out, const struct response *r,
		   enum response_then then, struct slice fields)
{
	static const char *const connection[] = {
		[RESPONSE_CLOSE] = "Connection: close\r\n",
		[RESPONSE_KEEP] = "",
		[RESPONSE_KEEP_SAY] = "Connection: keep-alive\r\n",
	};

	stats_inc(STAT_http_requests);
	stats_add(STAT_http_refused, r->status >= 400);
	buf_printf(out, "HTTP/1.1 %u %s\r\n%s%s", r->status,
		   response_reason(r->status), date(), connection[then]);
	if (r->type != NULL)
		buf_printf(out, "Content-Type: %s\r\n", r->type);
	if (r->status != 204)	/* RFC 9110 8.6 */
		buf_printf(out, "Content-Length: %zu\r\n", r->body.n);
	if (r->fields != NULL)
		buf_adds(out, r->fields);
	buf_add(out, fields.p, fields.n);
	buf_adds(out, "\r\n");
}
