#include "common/queue/queue_kafka_trouble.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/queue/kafka_url.h"

enum kafka_trouble kafka_trouble(rd_kafka_resp_err_t err, const char *text)
{
	switch (err) {
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
		/* it went, or hung, in the midst of it */
		return strstr(text, "Local: ") != NULL ? KAFKA_AWAY :
							 KAFKA_CREDENTIALS;
	case RD_KAFKA_RESP_ERR__SSL:
		if (strstr(text, "certificate") != NULL)
			return KAFKA_CERTIFICATE;
		/* a broker that goes ends TLS in the same way */
		return strstr(text, "handshake") != NULL ? KAFKA_PROTOCOL :
							   KAFKA_AWAY;
	default:
		return strstr(text, "security.protocol") != NULL ?
			       KAFKA_PROTOCOL : KAFKA_AWAY;
	}
}

void kafka_trouble_text(enum kafka_trouble t, const char *text, char *out,
			size_t size)
{
	static const char *const todos[] = {
		[KAFKA_AWAY] = "",
		[KAFKA_PROTOCOL] = "; see security.protocol in push_queue_url: "
				   "what does this port speak?",
		[KAFKA_CERTIFICATE] = "; see ssl.ca.location in push_queue_url, "
				      "and that the certificate has this name",
		[KAFKA_CREDENTIALS] = "; see sasl.username, sasl.password and "
				      "sasl.mechanisms in push_queue_url",
	};
	const char *end = strstr(text, " (after ");
	int n = end != NULL ? (int)(end - text) : (int)strlen(text);

	snprintf(out, size, "%.*s%s", n, text, todos[t]);
}

/* A file that is named and cannot be read: librdkafka has no more for it than
 * OpenSSL's number. */
static const char *unreadable(const struct kafka_property *p)
{
	static const char *const names[] = {
		"ssl.ca.location", "ssl.certificate.location", "ssl.key.location",
		"ssl.keystore.location", "ssl.crl.location",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(p->name, names[i]) == 0)
			return access(p->value, R_OK) == -1 ? names[i] : NULL;
	return NULL;
}

void kafka_trouble_refused(const struct kafka_url *url, char err[256])
{
	size_t n = strlen(err);

	if (strstr(err, ".location") != NULL)
		for (size_t i = 0; i < url->n; i++) {
			const char *name = unreadable(&url->properties[i]);

			if (name == NULL)
				continue;
			snprintf(err, 256, "%s: %s", name, strerror(errno));
			return;
		}
	if (strstr(err, "kerberos") != NULL)
		snprintf(err + n, 256 - n, " (sasl.mechanisms is GSSAPI unless it "
			 "is given: SCRAM-SHA-256, SCRAM-SHA-512, PLAIN)");
}
