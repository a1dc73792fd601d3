#include "pushd/outcome.h"

#include <errno.h>
#include <jansson.h>

#include "pushd/retry_after.h"

const char *const outcome_kind_names[OUTCOME__COUNT] = {
	[OUTCOME_OK] = "ok",	     [OUTCOME_RETRY] = "retry",
	[OUTCOME_PAUSE] = "pause",   [OUTCOME_RENEW] = "renew",
	[OUTCOME_CONFIG] = "config", [OUTCOME_DELETE] = "delete",
	[OUTCOME_REJECT] = "reject",
};

/* Where the reason stands in the answer. */
enum said_by {
	BY_CODE = 1,	/* FCM: errorCode of the FcmError detail; APNs: reason */
	BY_TOKEN = 2,	/* the same, and it is about the registration token */
	BY_STATUS = 4,	/* FCM: only the canonical status */
	BY_ANY = BY_CODE | BY_TOKEN | BY_STATUS,
};

struct row {
	int status;
	const char *reason;
	unsigned by;		/* of enum said_by */
	enum outcome_kind kind;
};

/* The first that fits counts. Only what says that the token is dead may delete:
 * a storm of anything else would empty the devices table. */
static const struct row fcm_rows[] = {
	{ 404, "UNREGISTERED", BY_CODE | BY_TOKEN, OUTCOME_DELETE },
	{ 400, "INVALID_ARGUMENT", BY_TOKEN, OUTCOME_DELETE },
	{ 400, "INVALID_ARGUMENT", BY_CODE | BY_STATUS, OUTCOME_REJECT },
	{ 403, "SENDER_ID_MISMATCH", BY_CODE | BY_TOKEN, OUTCOME_DELETE },
	{ 401, "THIRD_PARTY_AUTH_ERROR", BY_CODE | BY_TOKEN, OUTCOME_REJECT },
	{ 401, "UNAUTHENTICATED", BY_ANY, OUTCOME_RENEW },
	{ 403, "PERMISSION_DENIED", BY_ANY, OUTCOME_CONFIG },
	{ 404, "NOT_FOUND", BY_ANY, OUTCOME_CONFIG },
	{ 429, "QUOTA_EXCEEDED", BY_CODE | BY_TOKEN, OUTCOME_PAUSE },
	{ 429, "RESOURCE_EXHAUSTED", BY_ANY, OUTCOME_PAUSE },
	{ 500, "INTERNAL", BY_ANY, OUTCOME_RETRY },
	{ 503, "UNAVAILABLE", BY_ANY, OUTCOME_RETRY },
};

static const struct row apns_rows[] = {
	{ 400, "BadDeviceToken", BY_CODE, OUTCOME_DELETE },
	{ 400, "DeviceTokenNotForTopic", BY_CODE, OUTCOME_DELETE },
	{ 410, "ExpiredToken", BY_CODE, OUTCOME_DELETE },
	{ 410, "Unregistered", BY_CODE, OUTCOME_DELETE },
	{ 400, "BadCollapseId", BY_CODE, OUTCOME_REJECT },
	{ 400, "BadExpirationDate", BY_CODE, OUTCOME_REJECT },
	{ 400, "BadMessageId", BY_CODE, OUTCOME_REJECT },
	{ 400, "BadPriority", BY_CODE, OUTCOME_REJECT },
	{ 400, "BadTopic", BY_CODE, OUTCOME_REJECT },
	{ 400, "DuplicateHeaders", BY_CODE, OUTCOME_REJECT },
	{ 400, "InvalidPushType", BY_CODE, OUTCOME_REJECT },
	{ 400, "MissingDeviceToken", BY_CODE, OUTCOME_REJECT },
	{ 400, "MissingTopic", BY_CODE, OUTCOME_REJECT },
	{ 400, "PayloadEmpty", BY_CODE, OUTCOME_REJECT },
	{ 400, "TopicDisallowed", BY_CODE, OUTCOME_REJECT },
	{ 404, "BadPath", BY_CODE, OUTCOME_REJECT },
	{ 405, "MethodNotAllowed", BY_CODE, OUTCOME_REJECT },
	{ 413, "PayloadTooLarge", BY_CODE, OUTCOME_REJECT },
	{ 403, "ExpiredProviderToken", BY_CODE, OUTCOME_RENEW },
	{ 403, "BadCertificate", BY_CODE, OUTCOME_CONFIG },
	{ 403, "BadCertificateEnvironment", BY_CODE, OUTCOME_CONFIG },
	{ 403, "BadEnvironmentKeyIdInToken", BY_CODE, OUTCOME_CONFIG },
	{ 403, "Forbidden", BY_CODE, OUTCOME_CONFIG },
	{ 403, "InvalidProviderToken", BY_CODE, OUTCOME_CONFIG },
	{ 403, "MissingProviderToken", BY_CODE, OUTCOME_CONFIG },
	{ 403, "UnrelatedKeyIdInToken", BY_CODE, OUTCOME_CONFIG },
	{ 429, "TooManyProviderTokenUpdates", BY_CODE, OUTCOME_PAUSE },
	{ 429, "TooManyRequests", BY_CODE, OUTCOME_RETRY },	/* to one device */
	{ 400, "IdleTimeout", BY_CODE, OUTCOME_RETRY },
	{ 500, "InternalServerError", BY_CODE, OUTCOME_RETRY },
	{ 503, "ServiceUnavailable", BY_CODE, OUTCOME_RETRY },
	{ 503, "Shutdown", BY_CODE, OUTCOME_RETRY },
};

/* Neither says why: a proxy's page, a truncated body, a word not known yet. */
static const struct row http_rows[] = {
	{ 400, "http_400", 0, OUTCOME_REJECT },
	{ 401, "http_401", 0, OUTCOME_RENEW },
	{ 403, "http_403", 0, OUTCOME_CONFIG },
	{ 404, "http_404", 0, OUTCOME_CONFIG },
	{ 407, "http_407", 0, OUTCOME_CONFIG },
	{ 408, "http_408", 0, OUTCOME_RETRY },
	{ 410, "http_410", 0, OUTCOME_REJECT },
	{ 413, "http_413", 0, OUTCOME_REJECT },
	{ 425, "http_425", 0, OUTCOME_RETRY },
	{ 429, "http_429", 0, OUTCOME_PAUSE },
	{ 500, "http_500", 0, OUTCOME_RETRY },
	{ 502, "http_502", 0, OUTCOME_RETRY },
	{ 503, "http_503", 0, OUTCOME_RETRY },
	{ 504, "http_504", 0, OUTCOME_RETRY },
};

/* status: negative errno. */
static const struct row error_rows[] = {
	{ -ENOTCONN, "not_connected", 0, OUTCOME_RETRY },
	{ -ETIMEDOUT, "timeout", 0, OUTCOME_RETRY },
	{ -ECONNRESET, "reset", 0, OUTCOME_RETRY },
	{ -EPROTO, "protocol", 0, OUTCOME_RETRY },
	{ -ECANCELED, "canceled", 0, OUTCOME_RETRY },
	{ -EACCES, "credentials", 0, OUTCOME_CONFIG },
	{ -ENOENT, "no_sender", 0, OUTCOME_CONFIG },
	{ -EMSGSIZE, "too_large", 0, OUTCOME_REJECT },
};

static const char other[] = "other";

static const struct {
	const struct row *rows;
	size_t n;
} provider_rows[PROVIDER__COUNT] = {
	[PROVIDER_FCM] = { fcm_rows, ARRAY_SIZE(fcm_rows) },
	[PROVIDER_APNS] = { apns_rows, ARRAY_SIZE(apns_rows) },
};

/* What an answer's body says. Borrowed from the parsed body. */
struct said {
	const char *reason;	/* NULL: nothing */
	enum said_by by;
	int64_t dead_since_ms;
};

static bool typed(const json_t *detail, const char *type)
{
	const char *t = json_string_value(json_object_get(detail, "@type"));

	return t != NULL && strcmp(t, type) == 0;
}

/* All that a BadRequest detail complains of is the token. */
static bool only_token_violated(const json_t *detail)
{
	const json_t *list = json_object_get(detail, "fieldViolations");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *field = json_string_value(json_object_get(
			json_array_get(list, i), "field"));

		if (field == NULL || strcmp(field, "message.token") != 0)
			return false;
	}
	return json_array_size(list) > 0;
}

static void fcm_said(const json_t *root, struct said *out)
{
	const json_t *error = json_object_get(root, "error");
	const json_t *details = json_object_get(error, "details");
	const char *message =
		json_string_value(json_object_get(error, "message"));
	const char *code = NULL;
	bool about_token = message != NULL &&
			   strstr(message, "registration token") != NULL;

	for (size_t i = 0; i < json_array_size(details); i++) {
		const json_t *d = json_array_get(details, i);

		if (typed(d, "type.googleapis.com/"
			     "google.firebase.fcm.v1.FcmError"))
			code = json_string_value(
				json_object_get(d, "errorCode"));
		else if (typed(d, "type.googleapis.com/google.rpc.BadRequest"))
			about_token = only_token_violated(d);
	}
	out->by = code == NULL ? BY_STATUS : about_token ? BY_TOKEN : BY_CODE;
	out->reason = code != NULL ? code :
		json_string_value(json_object_get(error, "status"));
}

static void apns_said(const json_t *root, struct said *out)
{
	json_int_t ms =
		json_integer_value(json_object_get(root, "timestamp"));

	out->by = BY_CODE;
	out->reason = json_string_value(json_object_get(root, "reason"));
	out->dead_since_ms = ms > 0 ? ms : 0;
}

static const struct row *find(const struct row *rows, size_t n, int status,
			      const struct said *said)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].status == status &&
		    (said == NULL || ((rows[i].by & said->by) != 0 &&
				      strcmp(rows[i].reason, said->reason) == 0)))
			return &rows[i];
	}
	return NULL;
}

static enum outcome_kind kind_of_class(int status)
{
	if (status >= 500 && status <= 599)
		return OUTCOME_RETRY;
	if (status >= 400 && status <= 499)
		return OUTCOME_REJECT;
	return OUTCOME_CONFIG;	/* a redirect, say: this is not the provider */
}

static void conclude(const struct row *r, enum outcome_kind kind,
		     struct outcome *out)
{
	const char *reason = r != NULL ? r->reason : other;

	*out = (struct outcome){
		.kind = r != NULL ? r->kind : kind,
		.retry_after_ms = -1,
	};
	/* from our own tables, and shorter (the unit test holds them to it) */
	strncpy(out->reason, reason, sizeof(out->reason) - 1);
	out->this_device = out->kind == OUTCOME_RETRY && r != NULL &&
			   r->status == 429;
	out->refused_address = out->kind == OUTCOME_DELETE;
}

void outcome_of_answer(enum provider p, int status, struct slice body,
		       struct slice retry_after, int64_t now_ms,
		       struct outcome *out)
{
	struct said said = { 0 };
	const struct row *r = NULL;
	json_t *root;

	if (status == 200) {
		*out = (struct outcome){ .retry_after_ms = -1 };
		return;
	}
	root = body.n > 0 ? json_loadb(body.p, body.n, 0, NULL) : NULL;
	if (p == PROVIDER_FCM)
		fcm_said(root, &said);
	else
		apns_said(root, &said);
	if (said.reason != NULL)
		r = find(provider_rows[p].rows, provider_rows[p].n, status,
			 &said);
	if (r == NULL)
		r = find(http_rows, ARRAY_SIZE(http_rows), status, NULL);
	conclude(r, kind_of_class(status), out);
	if (out->kind == OUTCOME_DELETE)
		out->dead_since_ms = said.dead_since_ms;
	if (out->kind == OUTCOME_RETRY || out->kind == OUTCOME_PAUSE)
		out->retry_after_ms = retry_after_ms(retry_after, now_ms);
	json_decref(root);
}

void outcome_of_error(int err, struct outcome *out)
{
	conclude(find(error_rows, ARRAY_SIZE(error_rows), err, NULL),
		 OUTCOME_RETRY, out);
}

static void list_rows(const struct row *rows, size_t n, const char **list,
		      size_t *count)
{
	for (size_t i = 0; i < n; i++) {
		bool there = false;

		for (size_t k = 0; k < *count && !there; k++)
			there = strcmp(list[k], rows[i].reason) == 0;
		if (!there)
			list[(*count)++] = rows[i].reason;
	}
}

const char *const *outcome_reasons(enum provider p)
{
	enum { MOST = ARRAY_SIZE(fcm_rows) + ARRAY_SIZE(apns_rows) +
		      ARRAY_SIZE(http_rows) + ARRAY_SIZE(error_rows) + 2 };
	static const char *lists[PROVIDER__COUNT][MOST];
	const char **list = lists[p];
	size_t n = 0;

	if (list[0] == NULL) {
		list_rows(provider_rows[p].rows, provider_rows[p].n, list, &n);
		list_rows(http_rows, ARRAY_SIZE(http_rows), list, &n);
		list_rows(error_rows, ARRAY_SIZE(error_rows), list, &n);
		list[n] = other;
	}
	return list;
}
