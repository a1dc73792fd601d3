/* The section [pushd]. What is in the files it names is pushd's to judge. */
#include "common/conf/conf_keys.h"

#include <errno.h>
#include <string.h>

static const char *text_of(const struct conf_reading *rd, enum conf_id id)
{
	return *conf_str_field(rd->conf, id);
}

/* https://host[:port], and perhaps a path. */
static int check_url(struct conf_reading *rd, enum conf_id id, bool path)
{
	static const char scheme[] = "https://";
	const char *url = text_of(rd, id);
	const char *host = url + strlen(scheme);
	size_t n;

	if (strncmp(url, scheme, strlen(scheme)) != 0)
		return conf_error(rd, id, "must begin with https://");
	n = strcspn(host, "/?#");
	if (n == 0 || memchr(host, '@', n) != NULL || host[strcspn(host, " ")] != '\0')
		return conf_error(rd, id, "must be https://HOST[:PORT]%s",
				  path ? "/PATH" : "");
	if ((host[n] == '/') != path)
		return conf_error(rd, id, path ?
				  "must be https://HOST[:PORT]/PATH" :
				  "must be https://HOST[:PORT], without a path");
	return 0;
}

/* All of them, or none. */
static int check_together(struct conf_reading *rd, const enum conf_id *ids,
			  size_t n)
{
	enum conf_id set = CONF__COUNT;

	for (size_t i = 0; i < n; i++)
		if (*text_of(rd, ids[i]) != '\0')
			set = ids[i];
	for (size_t i = 0; set != CONF__COUNT && i < n; i++)
		if (*text_of(rd, ids[i]) == '\0')
			return conf_error(rd, ids[i], "is not set, but %s is: "
					  "they go together",
					  conf_keys[set].key);
	return 0;
}

static int check_credentials(struct conf_reading *rd)
{
	static const enum conf_id firebase[] = {
		CONF_KEY_firebase_project_id, CONF_KEY_firebase_client_email,
		CONF_KEY_firebase_private_key,
	};
	static const enum conf_id apns[] = {
		CONF_KEY_apns_key, CONF_KEY_apns_key_id, CONF_KEY_apns_team_id,
		CONF_KEY_apns_topic,
	};
	const char *environment = rd->conf->apns_environment;
	int rc = check_together(rd, firebase, ARRAY_SIZE(firebase));

	if (rc == 0)
		rc = check_together(rd, apns, ARRAY_SIZE(apns));
	if (rc == 0 && strcmp(environment, "production") != 0 &&
	    strcmp(environment, "sandbox") != 0)
		rc = conf_error(rd, CONF_KEY_apns_environment,
				"must be production or sandbox");
	return rc;
}

static int check_urls(struct conf_reading *rd)
{
	int rc = check_url(rd, CONF_KEY_fcm_url, false);

	if (rc == 0)
		rc = check_url(rd, CONF_KEY_google_token_url, true);
	if (rc == 0)
		rc = check_url(rd, CONF_KEY_apns_url, false);
	if (rc == 0)
		rc = check_url(rd, CONF_KEY_apns_sandbox_url, false);
	return rc;
}

int conf_check_pushd(struct conf_reading *rd)
{
	char host[CONF_HOST_MAX];
	unsigned port;
	int rc = conf_check_name(rd, CONF_KEY_pushd_name);

	if (rc == 0 && *rd->conf->pushd_listen != '\0' &&
	    conf_host_port(rd->conf->pushd_listen, host, &port) != 0)
		rc = conf_error(rd, CONF_KEY_pushd_listen,
				"must be HOST:PORT, [IPv6]:PORT, or empty");
	if (rc == 0)
		rc = check_urls(rd);
	if (rc == 0)
		rc = check_credentials(rd);
	return rc;
}
