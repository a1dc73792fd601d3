/* outcome_of_answer: the first line is Retry-After's value, the rest the body.
 * Whatever a provider says, what is done is of the table. */
#include "pushd/outcome.h"
#include "tests/fuzz/fuzz.h"

#define NOW_MS 1767323045678
#define DAY_MS 86400000

static const int statuses[] = { 200, 302, 400, 401, 403, 404, 405, 410, 413,
				418, 429, 500, 503, 599 };

static bool listed(enum provider p, const char *reason)
{
	const char *const *r = outcome_reasons(p);

	while (*r != NULL && strcmp(*r, reason) != 0)
		r++;
	return *r != NULL;
}

static void check(enum provider p, int status, const struct outcome *o)
{
	bool waits = o->kind == OUTCOME_RETRY || o->kind == OUTCOME_PAUSE;

	CHECK((o->kind == OUTCOME_OK) == (status == 200));
	CHECK(o->kind == OUTCOME_OK ? *o->reason == '\0' :
				      listed(p, o->reason));
	CHECK(o->retry_after_ms >= -1 && o->retry_after_ms <= DAY_MS);
	CHECK(waits || o->retry_after_ms == -1);
	CHECK(o->refused_address == (o->kind == OUTCOME_DELETE));
	CHECK(o->dead_since_ms >= 0);
	CHECK(o->kind != OUTCOME_DELETE || status == 400 || status == 403 ||
	      status == 404 || status == 410);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data;
	const char *line = n > 0 ? memchr(p, '\n', n) : NULL;
	size_t head = line != NULL ? (size_t)(line - p) : n;
	struct slice after = { p, head };
	struct slice body = { p + head, n - head };
	struct outcome o;

	for (enum provider by = 0; by < PROVIDER__COUNT; by++)
		for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
			outcome_of_answer(by, statuses[i], body, after, NOW_MS,
					  &o);
			check(by, statuses[i], &o);
		}
	return 0;
}
