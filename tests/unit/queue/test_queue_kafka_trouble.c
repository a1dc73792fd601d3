/* What librdkafka's errors mean, in its own words (2.0.2, against Kafka 3.9). */
#include "common/queue/queue_kafka_trouble.h"

#include <criterion/criterion.h>

#include "common/queue/kafka_url.h"

static const struct {
	rd_kafka_resp_err_t err;
	const char *text;
	enum kafka_trouble trouble;
	const char *told;
} rows[] = {
	{ RD_KAFKA_RESP_ERR__TRANSPORT,
	  "ssl://h:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT, 1 identical error(s) suppressed)",
	  KAFKA_AWAY,
	  "ssl://h:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused" },
	{ RD_KAFKA_RESP_ERR__RESOLVE, "Failed to resolve 'h:1'", KAFKA_AWAY,
	  "Failed to resolve 'h:1'" },
	{ RD_KAFKA_RESP_ERR__SSL,
	  "Receive failed: error:0A000126:SSL routines::unexpected eof while reading (after 3418ms in state UP)",
	  KAFKA_AWAY,
	  "Receive failed: error:0A000126:SSL routines::unexpected eof while reading" },
	{ RD_KAFKA_RESP_ERR__SSL,
	  "SSL handshake failed: error:0A000126:SSL routines::unexpected eof while reading (after 2ms in state SSL_HANDSHAKE)",
	  KAFKA_PROTOCOL,
	  "SSL handshake failed: error:0A000126:SSL routines::unexpected eof while reading; see security.protocol in push_queue_url: what does this port speak?" },
	{ RD_KAFKA_RESP_ERR__TRANSPORT,
	  "Disconnected: verify that security.protocol is correctly configured, broker might require SASL authentication (after 302ms in state UP)",
	  KAFKA_PROTOCOL,
	  "Disconnected: verify that security.protocol is correctly configured, broker might require SASL authentication; see security.protocol in push_queue_url: what does this port speak?" },
	{ RD_KAFKA_RESP_ERR__SSL,
	  "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed",
	  KAFKA_CERTIFICATE,
	  "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed; see ssl.ca.location in push_queue_url, and that the certificate has this name" },
	{ RD_KAFKA_RESP_ERR__AUTHENTICATION,
	  "SASL authentication error: x (after 335ms in state AUTH_REQ)",
	  KAFKA_CREDENTIALS,
	  "SASL authentication error: x; see sasl.username, sasl.password and sasl.mechanisms in push_queue_url" },
	{ RD_KAFKA_RESP_ERR__AUTHENTICATION,
	  "SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: SCRAM-SHA-256 (after 3ms in state AUTH_HANDSHAKE)",
	  KAFKA_CREDENTIALS,
	  "SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: SCRAM-SHA-256; see sasl.username, sasl.password and sasl.mechanisms in push_queue_url" },
	{ RD_KAFKA_RESP_ERR__AUTHENTICATION,
	  "SASL SCRAM-SHA-256 mechanism handshake failed: Local: Broker transport failure: broker's supported mechanisms: (n/a) (after 3ms in state AUTH_HANDSHAKE)",
	  KAFKA_AWAY,
	  "SASL SCRAM-SHA-256 mechanism handshake failed: Local: Broker transport failure: broker's supported mechanisms: (n/a)" },
};

Test(kafka_trouble, is_told_with_what_to_do)
{
	char out[512];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_expect_eq(kafka_trouble(rows[i].err, rows[i].text),
			     rows[i].trouble, "%s", rows[i].text);
		kafka_trouble_text(rows[i].trouble, rows[i].text, out, sizeof(out));
		cr_expect_str_eq(out, rows[i].told);
	}
	kafka_trouble_text(KAFKA_CREDENTIALS, rows[0].text, out, 12);
	cr_expect_str_eq(out, "ssl://h:1/b");
}

Test(kafka_trouble, properties_that_are_refused)
{
	static const struct {
		const char *url, *err, *told;
	} refused[] = {
		{ "kafka://h?ssl.ca.location=/nowhere/ca.pem",
		  "ssl.ca.location failed: error:05880002:x509 certificate routines::system lib",
		  "ssl.ca.location: No such file or directory" },
		{ "kafka://h?ssl.ca.location=/dev/null", "ssl.ca.location failed: x",
		  "ssl.ca.location failed: x" },
		{ "kafka://h?ssl.ca.location=/nowhere", "something else",
		  "something else" },
		{ "kafka://h", "Invalid sasl.kerberos.kinit.cmd value: x",
		  "Invalid sasl.kerberos.kinit.cmd value: x (sasl.mechanisms is GSSAPI unless it is given: SCRAM-SHA-256, SCRAM-SHA-512, PLAIN)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct kafka_url u;
		char err[256];

		cr_assert_eq(kafka_url_parse(refused[i].url, &u, err), 0);
		snprintf(err, sizeof(err), "%s", refused[i].err);
		kafka_trouble_refused(&u, err);
		cr_expect_str_eq(err, refused[i].told);
		kafka_url_clear(&u);
	}
}
