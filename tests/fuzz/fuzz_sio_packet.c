/* sio_packet and json_text: what a client may send inside an Engine.IO message.
 * What is accepted means the same when it is written again. */
#include "common/protocol/sio_packet.h"

#include <errno.h>

#include "tests/fuzz/fuzz.h"
#include "worker/socketio/json_text.h"

#define NAME_MAX_BYTES 128

static void check_packet(struct slice text)
{
	struct sio_packet p, again;
	struct buf b = { 0 };
	int rc = sio_packet_parse(text, &p);
	bool binary;

	CHECK(rc == 0 || rc == -EBADMSG);
	if (rc != 0)
		return;
	binary = p.type == SIO_BINARY_EVENT || p.type == SIO_BINARY_ACK;
	CHECK(p.type <= SIO_BINARY_ACK && p.nsp.n >= 1 && p.nsp.p[0] == '/');
	CHECK(p.ack >= SIO_NO_ACK && p.ack <= INT64_C(1) << 53);
	CHECK(binary ? p.attachments >= 1 && p.attachments <= SIO_ATTACHMENTS_MAX
		     : p.attachments == 0);
	CHECK(p.json.p >= text.p && p.json.p + p.json.n == text.p + text.n);
	sio_head_write(&b, p.type, p.attachments, p.nsp, p.ack);
	buf_add(&b, p.json.p, p.json.n);
	CHECK(b.p[0] == '4');
	CHECK(sio_packet_parse((struct slice){ b.p + 1, b.len - 1 }, &again) == 0);
	CHECK(again.type == p.type && again.attachments == p.attachments &&
	      again.ack == p.ack);
	CHECK(same(again.nsp, p.nsp) && same(again.json, p.json));
	buf_free(&b);
}

static void check_first(struct slice text, const json_t *whole)
{
	json_t *first = json_text_first(text, NAME_MAX_BYTES);
	const json_t *want = json_array_get(whole, 0);

	CHECK(json_is_string(first));
	CHECK(json_string_length(first) <= NAME_MAX_BYTES);
	if (json_is_string(want) && json_string_length(want) <= NAME_MAX_BYTES)
		CHECK(json_equal(first, want));
	json_decref(first);
}

static void check_json(struct slice text)
{
	json_t *j = json_text_load(text), *again;
	char *dump;

	if (text.n > 0 && text.p[0] == '[')
		check_first(text, j);
	if (j == NULL)
		return;
	dump = json_dumps(j, JSON_COMPACT);
	CHECK(dump != NULL);
	again = json_text_load((struct slice){ dump, strlen(dump) });
	CHECK(json_equal(j, again));
	free(dump);
	json_decref(again);
	json_decref(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice text = { (const char *)data, n };
	struct sio_packet p;

	check_packet(text);
	check_json(text);
	if (sio_packet_parse(text, &p) == 0)
		check_json(p.json);
	return 0;
}
