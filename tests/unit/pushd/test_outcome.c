#include "pushd/outcome.h"

#include <errno.h>
#include <stdio.h>

#include "tests/unit/protocol/exact.h"

#define NOW_MS 1767323045000	/* 2026-01-02T03:04:05Z */

#define FCM_ERROR(code)                                                       \
	"{\"@type\":\"type.googleapis.com/google.firebase.fcm.v1.FcmError\"," \
	"\"errorCode\":\"" code "\"}"
#define FCM_BODY(http, message, status, details)              \
	"{\n  \"error\": {\n    \"code\": " http ",\n    \"message\": \"" message \
	"\",\n    \"status\": \"" status "\",\n    \"details\": [" details "]\n  }\n}\n"
#define VIOLATION(field, text)                                        \
	"{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\","   \
	"\"fieldViolations\":[{\"field\":\"" field                    \
	"\",\"description\":\"" text "\"}]}"

struct row {
	int status;
	const char *body;
	enum outcome_kind kind;
	const char *reason;
};

static const struct row fcm[] = {
	{ 200, "{\"name\":\"projects/p/messages/0:15\"}", OUTCOME_OK, "" },
	{ 404, FCM_BODY("404", "Requested entity was not found.", "NOT_FOUND",
			FCM_ERROR("UNREGISTERED")),
	  OUTCOME_DELETE, "UNREGISTERED" },
	{ 400, FCM_BODY("400", "The registration token is not a valid FCM "
			"registration token", "INVALID_ARGUMENT",
			FCM_ERROR("INVALID_ARGUMENT")),
	  OUTCOME_DELETE, "INVALID_ARGUMENT" },
	{ 400, FCM_BODY("400", "Request contains an invalid argument.",
			"INVALID_ARGUMENT", FCM_ERROR("INVALID_ARGUMENT") ","
			VIOLATION("message.token", "Invalid registration token")),
	  OUTCOME_DELETE, "INVALID_ARGUMENT" },
	/* our bugs: the tokens stay */
	{ 400, FCM_BODY("400", "Invalid value at 'message.data[0].value' "
			"(TYPE_STRING), 12", "INVALID_ARGUMENT",
			VIOLATION("message.data[0].value", "Invalid value")),
	  OUTCOME_REJECT, "INVALID_ARGUMENT" },
	{ 400, FCM_BODY("400", "Request with a registration token contains an "
			"invalid argument.", "INVALID_ARGUMENT",
			FCM_ERROR("INVALID_ARGUMENT") ","
			VIOLATION("message.android.ttl", "Invalid ttl")),
	  OUTCOME_REJECT, "INVALID_ARGUMENT" },
	{ 400, FCM_BODY("400", "Message is too big", "INVALID_ARGUMENT",
			FCM_ERROR("INVALID_ARGUMENT")),
	  OUTCOME_REJECT, "INVALID_ARGUMENT" },
	{ 400, FCM_BODY("400", "The registration token is not a valid FCM "
			"registration token", "INVALID_ARGUMENT", ""),
	  OUTCOME_REJECT, "INVALID_ARGUMENT" },
	{ 403, FCM_BODY("403", "SenderId mismatch", "PERMISSION_DENIED",
			FCM_ERROR("SENDER_ID_MISMATCH")),
	  OUTCOME_DELETE, "SENDER_ID_MISMATCH" },
	{ 401, FCM_BODY("401", "Auth error from APNS or Web Push Service",
			"UNAUTHENTICATED", FCM_ERROR("THIRD_PARTY_AUTH_ERROR") ","
			"{\"@type\":\"type.googleapis.com/google.firebase.fcm.v1."
			"ApnsError\",\"statusCode\":403,"
			"\"reason\":\"InvalidProviderToken\"}"),
	  OUTCOME_REJECT, "THIRD_PARTY_AUTH_ERROR" },
	{ 401, FCM_BODY("401", "Request had invalid authentication credentials.",
			"UNAUTHENTICATED",
			"{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\","
			"\"reason\":\"ACCESS_TOKEN_EXPIRED\"}"),
	  OUTCOME_RENEW, "UNAUTHENTICATED" },
	{ 403, FCM_BODY("403", "Firebase Cloud Messaging API has not been used",
			"PERMISSION_DENIED",
			"{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\","
			"\"reason\":\"SERVICE_DISABLED\"}"),
	  OUTCOME_CONFIG, "PERMISSION_DENIED" },
	{ 404, FCM_BODY("404", "Requested entity was not found.", "NOT_FOUND", ""),
	  OUTCOME_CONFIG, "NOT_FOUND" },
	{ 429, FCM_BODY("429", "Quota exceeded for quota metric", 
			"RESOURCE_EXHAUSTED", FCM_ERROR("QUOTA_EXCEEDED") ","
			"{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\"}"),
	  OUTCOME_PAUSE, "QUOTA_EXCEEDED" },
	{ 429, FCM_BODY("429", "Resource has been exhausted",
			"RESOURCE_EXHAUSTED", ""),
	  OUTCOME_PAUSE, "RESOURCE_EXHAUSTED" },
	{ 503, FCM_BODY("503", "The service is currently unavailable.",
			"UNAVAILABLE", FCM_ERROR("UNAVAILABLE")),
	  OUTCOME_RETRY, "UNAVAILABLE" },
	{ 503, FCM_BODY("503", "The service is currently unavailable.",
			"UNAVAILABLE", ""),
	  OUTCOME_RETRY, "UNAVAILABLE" },
	{ 500, FCM_BODY("500", "Internal error encountered.", "INTERNAL",
			FCM_ERROR("INTERNAL")),
	  OUTCOME_RETRY, "INTERNAL" },
	/* a code at a status that it does not belong to deletes nothing */
	{ 500, FCM_BODY("500", "?", "INTERNAL", FCM_ERROR("UNREGISTERED")),
	  OUTCOME_RETRY, "http_500" },
	{ 400, FCM_BODY("400", "?", "INVALID_ARGUMENT",
			FCM_ERROR("UNSPECIFIED_ERROR")),
	  OUTCOME_REJECT, "http_400" },
	{ 404, FCM_BODY("404", "?", "UNREGISTERED", ""),
	  OUTCOME_CONFIG, "http_404" },
	{ 404, "<html><title>Error 404 (Not Found)!!1</title>",
	  OUTCOME_CONFIG, "http_404" },
	{ 404, FCM_BODY("404", "?", "NOT_FOUND",
			"{\"@type\":\"type.googleapis.com/other.FcmError\","
			"\"errorCode\":\"UNREGISTERED\"}"),
	  OUTCOME_CONFIG, "NOT_FOUND" },
};

static const struct row apns[] = {
	{ 200, "", OUTCOME_OK, "" },
	{ 400, "{\"reason\":\"BadDeviceToken\"}", OUTCOME_DELETE, "BadDeviceToken" },
	{ 400, "{\"reason\":\"DeviceTokenNotForTopic\"}", OUTCOME_DELETE,
	  "DeviceTokenNotForTopic" },
	{ 410, "{\"reason\":\"Unregistered\",\"timestamp\":1767000000123}",
	  OUTCOME_DELETE, "Unregistered" },
	{ 410, "{\"reason\":\"ExpiredToken\",\"timestamp\":1767000000123}",
	  OUTCOME_DELETE, "ExpiredToken" },
	{ 400, "{\"reason\":\"BadCollapseId\"}", OUTCOME_REJECT, "BadCollapseId" },
	{ 400, "{\"reason\":\"BadExpirationDate\"}", OUTCOME_REJECT, "BadExpirationDate" },
	{ 400, "{\"reason\":\"BadMessageId\"}", OUTCOME_REJECT, "BadMessageId" },
	{ 400, "{\"reason\":\"BadPriority\"}", OUTCOME_REJECT, "BadPriority" },
	{ 400, "{\"reason\":\"BadTopic\"}", OUTCOME_REJECT, "BadTopic" },
	{ 400, "{\"reason\":\"DuplicateHeaders\"}", OUTCOME_REJECT, "DuplicateHeaders" },
	{ 400, "{\"reason\":\"InvalidPushType\"}", OUTCOME_REJECT, "InvalidPushType" },
	{ 400, "{\"reason\":\"MissingDeviceToken\"}", OUTCOME_REJECT,
	  "MissingDeviceToken" },
	{ 400, "{\"reason\":\"MissingTopic\"}", OUTCOME_REJECT, "MissingTopic" },
	{ 400, "{\"reason\":\"PayloadEmpty\"}", OUTCOME_REJECT, "PayloadEmpty" },
	{ 400, "{\"reason\":\"TopicDisallowed\"}", OUTCOME_REJECT, "TopicDisallowed" },
	{ 400, "{\"reason\":\"IdleTimeout\"}", OUTCOME_RETRY, "IdleTimeout" },
	{ 404, "{\"reason\":\"BadPath\"}", OUTCOME_REJECT, "BadPath" },
	{ 405, "{\"reason\":\"MethodNotAllowed\"}", OUTCOME_REJECT, "MethodNotAllowed" },
	{ 413, "{\"reason\":\"PayloadTooLarge\"}", OUTCOME_REJECT, "PayloadTooLarge" },
	{ 403, "{\"reason\":\"ExpiredProviderToken\"}", OUTCOME_RENEW,
	  "ExpiredProviderToken" },
	{ 403, "{\"reason\":\"BadCertificate\"}", OUTCOME_CONFIG, "BadCertificate" },
	{ 403, "{\"reason\":\"BadCertificateEnvironment\"}", OUTCOME_CONFIG,
	  "BadCertificateEnvironment" },
	{ 403, "{\"reason\":\"BadEnvironmentKeyIdInToken\"}", OUTCOME_CONFIG,
	  "BadEnvironmentKeyIdInToken" },
	{ 403, "{\"reason\":\"Forbidden\"}", OUTCOME_CONFIG, "Forbidden" },
	{ 403, "{\"reason\":\"InvalidProviderToken\"}", OUTCOME_CONFIG,
	  "InvalidProviderToken" },
	{ 403, "{\"reason\":\"MissingProviderToken\"}", OUTCOME_CONFIG,
	  "MissingProviderToken" },
	{ 403, "{\"reason\":\"UnrelatedKeyIdInToken\"}", OUTCOME_CONFIG,
	  "UnrelatedKeyIdInToken" },
	{ 429, "{\"reason\":\"TooManyProviderTokenUpdates\"}", OUTCOME_PAUSE,
	  "TooManyProviderTokenUpdates" },
	{ 429, "{\"reason\":\"TooManyRequests\"}", OUTCOME_RETRY, "TooManyRequests" },
	{ 500, "{\"reason\":\"InternalServerError\"}", OUTCOME_RETRY,
	  "InternalServerError" },
	{ 503, "{\"reason\":\"ServiceUnavailable\"}", OUTCOME_RETRY,
	  "ServiceUnavailable" },
	{ 503, "{\"reason\":\"Shutdown\"}", OUTCOME_RETRY, "Shutdown" },
	/* only with its own status */
	{ 500, "{\"reason\":\"BadDeviceToken\"}", OUTCOME_RETRY, "http_500" },
	{ 410, "{\"reason\":\"Gone\"}", OUTCOME_REJECT, "http_410" },
	{ 410, "<h1>Gone</h1>", OUTCOME_REJECT, "http_410" },
};

/* Whoever answered. */
static const struct row any[] = {
	{ 100, "", OUTCOME_CONFIG, "other" },
	{ 204, "", OUTCOME_CONFIG, "other" },
	{ 302, "", OUTCOME_CONFIG, "other" },
	{ 400, "", OUTCOME_REJECT, "http_400" },
	{ 401, "", OUTCOME_RENEW, "http_401" },
	{ 403, "", OUTCOME_CONFIG, "http_403" },
	{ 404, "null", OUTCOME_CONFIG, "http_404" },
	{ 407, "", OUTCOME_CONFIG, "http_407" },
	{ 408, "", OUTCOME_RETRY, "http_408" },
	{ 410, "", OUTCOME_REJECT, "http_410" },
	{ 413, "[]", OUTCOME_REJECT, "http_413" },
	{ 418, "short and stout", OUTCOME_REJECT, "other" },
	{ 425, "", OUTCOME_RETRY, "http_425" },
	{ 429, "{}", OUTCOME_PAUSE, "http_429" },
	{ 500, "{\"reason\":7,\"error\":7}", OUTCOME_RETRY, "http_500" },
	{ 502, "\xff\xfe", OUTCOME_RETRY, "http_502" },
	{ 503, "{\"error\":{\"details\":{},\"status\":[]}}", OUTCOME_RETRY,
	  "http_503" },
	{ 504, "{\"error\":{\"details\":[7,null,{\"@type\":[]}]}}", OUTCOME_RETRY,
	  "http_504" },
	{ 599, "", OUTCOME_RETRY, "other" },
	{ 600, "", OUTCOME_CONFIG, "other" },
	{ 0, "", OUTCOME_CONFIG, "other" },
};

static void outcome(enum provider p, int status, struct slice body,
		    const char *retry_after, struct outcome *out)
{
	outcome_of_answer(p, status, body, text(retry_after), NOW_MS, out);
}

static bool listed(enum provider p, const char *reason)
{
	for (const char *const *r = outcome_reasons(p); *r != NULL; r++) {
		if (strcmp(*r, reason) == 0)
			return true;
	}
	return false;
}

static void check(enum provider p, const struct row *r)
{
	bool waits = r->kind == OUTCOME_RETRY || r->kind == OUTCOME_PAUSE;
	struct outcome o;

	outcome(p, r->status, text(r->body), "", &o);
	cr_expect_eq(o.kind, r->kind, "%d %s: %s", r->status, r->body,
		     outcome_kind_names[o.kind]);
	cr_expect_str_eq(o.reason, r->reason);
	cr_expect_eq(o.retry_after_ms, -1, "%d %s", r->status, r->body);
	cr_expect_eq(o.refused_address, r->kind == OUTCOME_DELETE);
	cr_expect_eq(o.this_device, strcmp(o.reason, "TooManyRequests") == 0);
	cr_expect_eq(o.dead_since_ms, strstr(r->body, "timestamp") != NULL ?
		     1767000000123 : 0);
	cr_expect(r->kind == OUTCOME_OK || listed(p, o.reason), "%s", o.reason);

	outcome(p, r->status, text(r->body), "120", &o);
	cr_expect_eq(o.kind, r->kind);
	cr_expect_eq(o.retry_after_ms, waits ? 120000 : -1, "%s", r->body);
}

Test(outcome, every_row)
{
	for (size_t i = 0; i < ARRAY_SIZE(fcm); i++)
		check(PROVIDER_FCM, &fcm[i]);
	for (size_t i = 0; i < ARRAY_SIZE(apns); i++)
		check(PROVIDER_APNS, &apns[i]);
	for (size_t i = 0; i < ARRAY_SIZE(any); i++) {
		check(PROVIDER_FCM, &any[i]);
		check(PROVIDER_APNS, &any[i]);
	}
}

/* Half an answer does no harm: it never deletes a token. */
static void truncated(enum provider p, const struct row *r)
{
	for (size_t n = 0; n < strlen(r->body); n++) {
		struct slice body = exact(r->body, n);
		struct outcome o;

		/* up to the last brace it is not JSON */
		if (strspn(r->body + n, " \n") == strlen(r->body + n)) {
			free((char *)body.p);
			return;
		}
		outcome(p, r->status, body, "", &o);
		cr_expect(o.kind != OUTCOME_DELETE, "%.*s", (int)n, r->body);
		cr_expect(r->kind == OUTCOME_OK || listed(p, o.reason));
		free((char *)body.p);
	}
}

Test(outcome, every_truncation)
{
	for (size_t i = 0; i < ARRAY_SIZE(fcm); i++)
		truncated(PROVIDER_FCM, &fcm[i]);
	for (size_t i = 0; i < ARRAY_SIZE(apns); i++)
		truncated(PROVIDER_APNS, &apns[i]);
}

static bool tested(const struct row *rows, size_t n, const char *reason)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].reason, reason) == 0)
			return true;
	}
	return false;
}

static const struct {
	int err;
	enum outcome_kind kind;
	const char *reason;
} errors[] = {
	{ -ENOTCONN, OUTCOME_RETRY, "not_connected" },
	{ -ETIMEDOUT, OUTCOME_RETRY, "timeout" },
	{ -ECONNRESET, OUTCOME_RETRY, "reset" },
	{ -EPROTO, OUTCOME_RETRY, "protocol" },
	{ -ECANCELED, OUTCOME_RETRY, "canceled" },
	{ -EACCES, OUTCOME_CONFIG, "credentials" },
	{ -ENOENT, OUTCOME_CONFIG, "no_sender" },
	{ -EMSGSIZE, OUTCOME_REJECT, "too_large" },
	{ -EIO, OUTCOME_RETRY, "other" },
};

Test(outcome, without_an_answer)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct outcome o;

		outcome_of_error(errors[i].err, &o);
		cr_expect_eq(o.kind, errors[i].kind, "%s", errors[i].reason);
		cr_expect_str_eq(o.reason, errors[i].reason);
		cr_expect_eq(o.retry_after_ms, -1);
		cr_expect(!o.refused_address);
		cr_expect(listed(PROVIDER_FCM, o.reason) &&
			  listed(PROVIDER_APNS, o.reason));
	}
}

/* The table has no row that the tables above do not have; once each. */
Test(outcome, reasons_are_all_tested)
{
	for (enum provider p = 0; p < PROVIDER__COUNT; p++) {
		const char *const *reasons = outcome_reasons(p);

		for (size_t i = 0; reasons[i] != NULL; i++) {
			bool known = p == PROVIDER_FCM ?
				tested(fcm, ARRAY_SIZE(fcm), reasons[i]) :
				tested(apns, ARRAY_SIZE(apns), reasons[i]);

			known = known || tested(any, ARRAY_SIZE(any), reasons[i]);
			for (size_t k = 0; k < ARRAY_SIZE(errors); k++)
				known = known || strcmp(errors[k].reason,
							reasons[i]) == 0;
			cr_expect(known, "%s", reasons[i]);
			cr_expect_lt(strlen(reasons[i]), OUTCOME_REASON_MAX);
			for (size_t k = 0; k < i; k++)
				cr_expect(strcmp(reasons[i], reasons[k]) != 0,
					  "%s", reasons[i]);
		}
		cr_expect_eq(reasons, outcome_reasons(p));
	}
}

Test(outcome, timestamps)
{
	static const struct {
		const char *body;
		int64_t ms;
	} rows[] = {
		{ "{\"reason\":\"Unregistered\"}", 0 },
		{ "{\"reason\":\"Unregistered\",\"timestamp\":-5}", 0 },
		{ "{\"reason\":\"Unregistered\",\"timestamp\":\"5\"}", 0 },
		{ "{\"reason\":\"Unregistered\",\"timestamp\":5.5}", 0 },
		{ "{\"reason\":\"Unregistered\",\"timestamp\":5}", 5 },
		{ "{\"timestamp\":9223372036854775807,\"reason\":\"ExpiredToken\"}",
		  INT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o;

		outcome(PROVIDER_APNS, 410, text(rows[i].body), "", &o);
		cr_expect_eq(o.kind, OUTCOME_DELETE);
		cr_expect_eq(o.dead_since_ms, rows[i].ms, "%s", rows[i].body);
	}
}
