/* Whose unread counters are made anew, and how many wait for it; Redis and the
 * store faked. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/store/message_store.h"
#include "worker/chat/unread.h"
#include "worker/unread_sets.h"

#define USERS 3000
#define AT_ONCE 8

static struct chat c;
static struct device *devices[USERS];
static struct {
	unread_begun_cb *cb;
	void *arg;
	char user[16];
} asked[AT_ONCE];	/* not answered */
static int nasked;
static int begun[USERS];	/* times */

static int number(const char *user)
{
	int i = -1;

	cr_assert_eq(sscanf(user, "u%d", &i), 1);
	return i;
}

void unread_sets_begin(struct redis *r, const char *user_id, const char *token,
		       bool in_doubt, unread_begun_cb *cb, void *arg)
{
	(void)r;
	(void)token;
	(void)in_doubt;
	cr_assert_lt(nasked, AT_ONCE);
	asked[nasked].cb = cb;
	asked[nasked].arg = arg;
	strcpy(asked[nasked++].user, user_id);
	if (number(user_id) < USERS)
		begun[number(user_id)]++;
}

void unread_sets_replace(struct redis *r, const char *user_id,
			 const char *token, const struct slice *pairs, size_t n,
			 unread_replaced_cb *cb, void *arg)
{
	(void)r, (void)user_id, (void)token, (void)pairs, (void)n;
	(void)cb, (void)arg;
	cr_assert(false, "all are whole");
}

void message_store_unread(struct message_store *s, const char *user_id,
			  store_rows_cb *cb, void *arg)
{
	(void)s, (void)user_id, (void)cb, (void)arg;
	cr_assert(false, "all are whole");
}

/* Redis says of the one who has waited longest that his are whole. */
static bool answer(void)
{
	unread_begun_cb *cb = asked[0].cb;
	void *arg = asked[0].arg;

	if (nasked == 0)
		return false;
	nasked--;
	memmove(asked, asked + 1, (size_t)nasked * sizeof(asked[0]));
	cb(arg, 0, NULL);
	return true;
}

static void set_up(void)
{
	char name[16];

	c.loop = loop_new();
	users_init(&c.users);
	unread_init(&c);
	for (int i = 0; i < USERS; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		devices[i] = device_new(&c, &c.users, name, NULL);
	}
}

static void leave(int i)
{
	char id[PW_ID_MAX + 1];

	if (devices[i] != NULL)
		device_gone(&c.users, devices[i], id);
	devices[i] = NULL;
}

static void tear_down(void)
{
	c.down = true;
	while (answer())
		;
	for (int i = 0; i < USERS; i++)
		leave(i);
	unread_free(&c);
	users_free(&c.users);
	loop_free(&c.loop);
}

TestSuite(unread, .init = set_up, .fini = tear_down);

static void lost_all(void)
{
	for (int i = 0; i < USERS; i++)
		unread_rebuild(&c, devices[i]->user->id, false);
}

Test(unread, of_a_crowd_each_has_his_turn_once)
{
	lost_all();
	lost_all();
	while (answer())
		;
	for (int i = 0; i < USERS; i++)
		cr_expect_eq(begun[i], 1, "u%d: %d", i, begun[i]);
}

/* Whoever has only a mark, and goes, is asked for when he is back. */
Test(unread, who_left_is_not_asked_for)
{
	lost_all();
	for (int i = USERS - 500; i < USERS; i++)
		leave(i);
	while (answer())
		;
	for (int i = 0; i < USERS; i++)
		cr_expect_eq(begun[i], i < USERS - 500, "u%d: %d", i, begun[i]);
}

/* What is in doubt would not be noticed again: it waits, whoever is here. */
Test(unread, doubts_wait_behind_any_crowd)
{
	lost_all();
	unread_rebuild(&c, "u2999", true);
	unread_rebuild(&c, "u3000", true);
	for (int i = 0; i < 1100; i++)
		answer();
	cr_expect_eq(begun[2999], 1);
}
