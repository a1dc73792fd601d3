#include "common/protocol/base64url.h"

#include <errno.h>

#include "tests/unit/protocol/exact.h"

/* RFC 4648, section 10, without the padding; and the digits that differ. */
static const struct {
	const char *bytes, *text;
} rows[] = {
	{ "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" },
	{ "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" }, { "foobar", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "-_-_" },
};

Test(base64url, both_ways)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice in = exact(rows[i].text, strlen(rows[i].text));
		size_t n = strlen(rows[i].bytes);
		char *out = malloc(n + 1);
		struct buf b = { 0 };

		out[n] = '!';
		cr_expect_eq(base64url_decode(in, out, n), (ssize_t)n);
		cr_expect_arr_eq(out, rows[i].bytes, n);
		cr_expect_eq(out[n], '!');
		if (n > 0)
			cr_expect_eq(base64url_decode(in, out, n - 1), -EBADMSG);
		base64url_encode(&b, slice_of(rows[i].bytes));
		cr_expect_str_eq(buf_str(&b), rows[i].text);
		buf_free(&b);
		free(out);
		free((void *)(uintptr_t)in.p);
	}
}

Test(base64url, every_byte_and_length)
{
	char bytes[256], back[256];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + 3);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct buf b = { 0 };

		base64url_encode(&b, (struct slice){ bytes, n });
		cr_expect_eq(base64url_decode(buf_slice(&b), back, n), (ssize_t)n);
		cr_expect_arr_eq(back, bytes, n);
		buf_free(&b);
	}
}

Test(base64url, refused)
{
	static const char *const bad[] = {
		"A", "AAAAA",			/* no length of whole bytes */
		"Zh", "Zm9", "__",	/* spare bits: another writing */
		"Zg==", "Zg=", "Zm 8", "Zm8\n", "Zm+/", "Z.g", "Zm\xc3\xa4",
	};
	char out[16];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct slice in = exact(bad[i], strlen(bad[i]));

		cr_expect_eq(base64url_decode(in, out, sizeof(out)),
			     -EBADMSG, "%s",
			     bad[i]);
		free((void *)(uintptr_t)in.p);
	}
}
