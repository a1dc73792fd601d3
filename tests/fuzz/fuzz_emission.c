/* emission_decode and emission_request: what anyone may publish to Redis. What
 * is taken is an event that a client can read, to rooms in order. */
#include "common/protocol/emission.h"

#include <errno.h>

#include <jansson.h>

#include "tests/fuzz/fuzz.h"

static void check_rooms(const struct rooms *r)
{
	for (size_t i = 0; i < r->n; i++)
		CHECK(rooms_have(r, r->names[i]));
	for (size_t i = 1; i < r->n; i++)
		CHECK(!same(r->names[i - 1], r->names[i]));
}

static void check_frame(struct slice frame)
{
	json_error_t e;
	json_t *data;

	CHECK(frame.n <= EMISSION_MAX && frame.n > 2 && frame.p[0] == '4' &&
	      frame.p[1] == '2');
	data = json_loadb(frame.p + 2, frame.n - 2,
			  JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &e);
	if (data == NULL) {
		/* which jansson alone cannot hold */
		CHECK(json_error_code(&e) == json_error_null_byte_in_key);
		return;
	}
	CHECK(json_is_array(data));
	CHECK(json_is_string(json_array_get(data, 0)));
	json_decref(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice in = { (const char *)data, n };
	struct emission_to to;
	struct buf frame = { 0 };
	int err = emission_decode(in, &to, &frame);

	CHECK(err == 0 || err == -EBADMSG || err == -ENOTSUP || err == -EMSGSIZE);
	CHECK(err == 0 || (frame.len == 0 && to.text.p == NULL));
	if (err == 0) {
		check_frame(buf_slice(&frame));
		check_rooms(&to.rooms);
		check_rooms(&to.except);
		emission_to_free(&to);
	}
	buf_free(&frame);

	err = emission_request(in, &to);
	CHECK(err == 0 || err == -EBADMSG || err == -ENOTSUP);
	check_rooms(&to.rooms);
	check_rooms(&to.except);
	emission_to_free(&to);
	return 0;
}
