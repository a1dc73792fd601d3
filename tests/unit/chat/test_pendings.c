/* What was written to a device and is not yet known to be delivered. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/chat/id_of.h"
#include "worker/chat/users.h"

static struct users us;
static struct device *d;

static void setup(void)
{
	users_init(&us);
	d = device_new(NULL, &us, "anna", (struct sio_socket *)&us);
}

static void teardown(void)
{
	char id[PW_ID_MAX + 1];

	device_gone(&us, d, id);
	users_free(&us);
}

TestSuite(pendings, .init = setup, .fini = teardown, .timeout = 240);

static unsigned confirm_up_to(uint32_t mark)
{
	struct pending p;
	size_t at = 0;
	unsigned n = 0;

	while (device_pending_confirm(d, mark, &at, &p))
		n++;
	return n;
}

Test(pendings, confirmed_in_order_of_marks)
{
	struct pending p;
	uint32_t mark = UINT32_MAX - 50;	/* wraps on the way */
	unsigned taken = 0;

	for (unsigned i = 0; i < 100; i++) {
		device_pending_add(d, mark + i, id_of(i), i);
		if (i % 3 == 2) {
			size_t at = 0;

			/* all but the newest */
			while (device_pending_confirm(d, mark + i - 1, &at, &p)) {
				cr_expect_str_eq(p.id, id_of(taken));
				cr_expect_eq(p.written_us, taken);
				if (taken % 2 == 0)	/* others stay a while */
					device_pending_drop(d, p.id), at--;
				taken++;
			}
			cr_expect_eq(taken, i);
		}
	}
	cr_expect_eq(confirm_up_to(mark + 1000), 2);
	cr_expect_eq(confirm_up_to(mark + 1000), 0, "each once");
	for (unsigned i = 0; i < 100; i++)
		device_pending_drop(d, id_of(i));
	cr_expect_null(d->pendings, "nothing is kept for an idle device");
}

Test(pendings, known_until_the_store_has_answered)
{
	struct pending p;

	cr_expect_not(device_pending_has(d, id_of(1)));
	device_pending_add(d, 1, id_of(1), 0);
	device_pending_add(d, 2, id_of(2), 0);
	cr_expect(device_pending_has(d, id_of(1)));
	cr_expect_eq(confirm_up_to(1), 1);
	cr_expect(device_pending_has(d, id_of(1)), "under way");
	cr_expect_not(device_pending_confirm_id(d, id_of(1), &p));
	device_pending_again(d, id_of(1));
	cr_expect(device_pending_confirm_id(d, id_of(1), &p));
	cr_expect_str_eq(p.id, id_of(1));
	device_pending_drop(d, id_of(1));
	device_pending_drop(d, id_of(1));
	cr_expect_not(device_pending_has(d, id_of(1)));
	cr_expect_eq(device_pending_count(d), 1);
}

Test(pendings, an_explicit_one_out_of_order)
{
	struct pending p;

	for (unsigned i = 0; i < 4; i++)
		device_pending_add(d, i, id_of(i), 0);
	cr_expect(device_pending_confirm_id(d, id_of(2), &p));
	cr_expect_not(device_pending_confirm_id(d, id_of(7), &p));
	device_pending_drop(d, id_of(2));
	cr_expect_eq(confirm_up_to(10), 3);
	for (unsigned i = 0; i < 4; i++)
		cr_expect_eq(device_pending_has(d, id_of(i)), i != 2);
}

Test(pendings, the_oldest_are_forgotten)
{
	for (unsigned i = 0; i < 5 * PENDINGS_MAX; i++)
		device_pending_add(d, i, id_of(i), 0);
	cr_expect_eq(device_pending_count(d), PENDINGS_MAX);
	cr_expect_not(device_pending_has(d, id_of(4 * PENDINGS_MAX - 1)));
	cr_expect(device_pending_has(d, id_of(4 * PENDINGS_MAX)));
	cr_expect(device_pending_has(d, id_of(5 * PENDINGS_MAX - 1)));
	/* Also when the store takes nothing for long. */
	cr_expect_eq(confirm_up_to(5 * PENDINGS_MAX), PENDINGS_MAX);
	for (unsigned i = 0; i < PENDINGS_MAX / 2; i++)
		device_pending_add(d, 5 * PENDINGS_MAX + i, id_of(9000 + i), 0);
	cr_expect_eq(device_pending_count(d), PENDINGS_MAX);
	cr_expect_eq(confirm_up_to(6 * PENDINGS_MAX), PENDINGS_MAX / 2);
}
