#include <criterion/criterion.h>
#include <string.h>

#include "worker/engineio/outbox.h"

Test(outbox, keeps_order_and_kind)
{
	struct outbox o = { 0 };
	struct slice p;
	bool binary;

	cr_assert_not(outbox_peek(&o, &p, &binary));
	outbox_pop(&o);
	outbox_put(&o, SLICE("42[1]"), false);
	outbox_put(&o, SLICE("\0\1"), true);
	outbox_put(&o, SLICE(""), true);
	cr_assert_eq(outbox_size(&o), 3 * 4 + 5 + 2);

	cr_assert(outbox_peek(&o, &p, &binary));
	cr_assert(p.n == 5 && memcmp(p.p, "42[1]", 5) == 0 && !binary);
	outbox_pop(&o);
	cr_assert(outbox_peek(&o, &p, &binary));
	cr_assert(p.n == 2 && memcmp(p.p, "\0\1", 2) == 0 && binary);
	outbox_pop(&o);
	cr_assert(outbox_peek(&o, &p, &binary));
	cr_assert(p.n == 0 && binary);
	outbox_pop(&o);
	cr_assert_not(outbox_peek(&o, &p, &binary));
	cr_assert_null(o.bytes, "an empty outbox owns nothing");
}

/* Writer and reader at different paces, over every compaction. */
Test(outbox, any_pace)
{
	for (unsigned ahead = 1; ahead < 40; ahead++) {
		struct outbox o = { 0 };
		unsigned put = 0, got = 0;

		while (got < 500) {
			struct slice p;
			bool binary;

			while (put < 500 && put - got < ahead) {
				char text[64];
				size_t n = put % sizeof(text);

				memset(text, (char)put, sizeof(text));
				outbox_put(&o, (struct slice){ text, n },
					   put % 3 == 0);
				put++;
			}
			cr_assert(outbox_peek(&o, &p, &binary));
			cr_assert_eq(p.n, got % 64);
			cr_assert_eq(binary, got % 3 == 0);
			for (size_t i = 0; i < p.n; i++)
				cr_assert_eq(p.p[i], (char)got);
			outbox_pop(&o);
			got++;
		}
		cr_assert_eq(outbox_size(&o), 0);
		cr_assert_null(o.bytes);
	}
}

Test(outbox, memory_stays_bounded)
{
	struct outbox o = { 0 };
	char text[100];

	memset(text, 'x', sizeof(text));
	outbox_put(&o, (struct slice){ text, sizeof(text) }, false);
	for (int i = 0; i < 100000; i++) {
		outbox_put(&o, (struct slice){ text, sizeof(text) }, false);
		outbox_pop(&o);
	}
	cr_assert_leq(o.bytes->cap, 4096);
	outbox_free(&o);
}
