/* What a master leaves to the next: each member there, missing, wrong. */
#include "config.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/conf/conf.h"
#include "master/upgrade/inheritance.h"
#include "master/members.h"
#include "master/status/status.h"
#include "master/status/tally.h"

#define STATE "{\"v\":1,\"program\":\"/p\",\"version\":\"1.2.3\"," \
	"\"conf\":{\"port\":\"1\"},\"listeners\":[{\"name\":\"listen-0\",\"fd\":7}]," \
	"\"lock_fd\":8,\"control_fd\":9,\"admin_fd\":null,\"supervisor\":{}," \
	"\"status\":{},\"explain\":{},\"upgrade\":{\"started\":5}}"

static json_t *parse(const char *text)
{
	json_t *root = json_loads(text, 0, NULL);

	cr_assert_not_null(root);
	return root;
}

static int memfd_of(const char *text, size_t n)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	cr_assert_neq(fd, -1);
	cr_assert_eq(write(fd, text, n), (ssize_t)n);
	return fd;
}

static int read_text(const char *text, size_t n, struct inheritance **out,
		     char err[INHERITANCE_ERR_MAX])
{
	int fd = memfd_of(text, n);
	int rc = inheritance_read(fd, out, err);

	close(fd);
	return rc;
}

static int read_json(const json_t *root, struct inheritance **out,
		     char err[INHERITANCE_ERR_MAX])
{
	char *text = json_dumps(root, 0);
	int rc = read_text(text, strlen(text), out, err);

	free(text);
	return rc;
}

Test(inheritance, comes_back_as_it_was)
{
	char err[INHERITANCE_ERR_MAX];
	struct inheritance *h = NULL, *again = NULL;
	int fd;

	cr_assert_eq(read_text(STATE, strlen(STATE), &h, err), 0, "%s", err);
	cr_assert_eq(inheritance_write(h, &fd), 0);
	/* Nobody can change it on the way. */
	cr_expect_eq(write(fd, "x", 1), -1);
	cr_expect_eq(ftruncate(fd, 0), -1);
	cr_expect_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	/* Who reads it first takes nothing away. */
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(inheritance_read(fd, &again, err), 0, "%s", err);
		cr_expect(json_equal(h->root, again->root));
		cr_expect_str_eq(again->version, "1.2.3");
		cr_expect_eq(again->lock_fd, 8);
		cr_expect_eq(again->control_fd, 9);
		cr_expect_eq(again->admin_fd, -1);
		inheritance_free(&again);
	}
	close(fd);
	inheritance_free(&h);
}

Test(inheritance, every_member_is_needed)
{
	char err[INHERITANCE_ERR_MAX], want[64];
	struct inheritance *h = NULL;
	json_t *whole = parse(STATE), *value;
	const char *key;

	json_object_foreach(whole, key, value) {
		json_t *less = json_deep_copy(whole), *wrong = json_deep_copy(whole);

		if (strcmp(key, "admin_fd") != 0) {
			json_object_del(less, key);
			snprintf(want, sizeof(want), "state: %s: missing", key);
			cr_expect_eq(read_json(less, &h, err), -EBADMSG, "%s", key);
			cr_expect_str_eq(err, want);
		}
		json_object_set_new(wrong, key, json_true());
		snprintf(want, sizeof(want), "state: %s: not a", key);
		cr_expect_eq(read_json(wrong, &h, err), -EBADMSG, "%s", key);
		cr_expect_eq(strncmp(err, want, strlen(want)), 0, "%s", err);
		json_decref(less);
		json_decref(wrong);
	}
	json_decref(whole);
}

Test(inheritance, a_newer_one_may_say_more)
{
	char err[INHERITANCE_ERR_MAX];
	struct inheritance *h = NULL;
	json_t *more = parse(STATE);

	json_object_set_new(more, "unheard_of", json_array());
	cr_expect_eq(read_json(more, &h, err), 0, "%s", err);
	inheritance_free(&h);
	json_object_set_new(more, "v", json_integer(2));
	cr_expect_eq(read_json(more, &h, err), -EBADMSG);
	cr_expect_str_eq(err, "state: v: out of range");
	json_decref(more);
}

static const struct {
	const char *key, *value, *err;
} wrong[] = {
	{ "listeners", "[]", "state: listeners: empty" },
	{ "listeners", "[7]", "state: listeners[0].name: missing" },
	{ "listeners", "[{\"name\":\"a\",\"fd\":7},{\"name\":\"a\",\"fd\":2}]",
	  "state: listeners[1].fd: out of range" },
	{ "lock_fd", "99999999999", "state: lock_fd: out of range" },
	{ "lock_fd", "null", "state: lock_fd: not a number" },
	{ "admin_fd", "0", "state: admin_fd: out of range" },
	{ "upgrade", "{}", "state: upgrade.started: missing" },
};

Test(inheritance, says_what_is_wrong)
{
	char err[INHERITANCE_ERR_MAX];
	struct inheritance *h = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		json_t *root = parse(STATE);

		json_object_set_new(root, wrong[i].key, parse(wrong[i].value[0] ==
			'[' || wrong[i].value[0] == '{' ? wrong[i].value : "[]"));
		if (wrong[i].value[0] != '[' && wrong[i].value[0] != '{')
			json_object_set_new(root, wrong[i].key,
				strcmp(wrong[i].value, "null") == 0 ? json_null() :
				json_integer(atoll(wrong[i].value)));
		cr_expect_eq(read_json(root, &h, err), -EBADMSG);
		cr_expect_str_eq(err, wrong[i].err);
		json_decref(root);
	}
}

Test(inheritance, no_part_of_it_is_enough)
{
	char err[INHERITANCE_ERR_MAX];
	struct inheritance *h = NULL;

	for (size_t n = 0; n < strlen(STATE); n++)
		cr_expect_eq(read_text(STATE, n, &h, err), -EBADMSG, "%zu", n);
	cr_expect_null(h);
}

static bool passes(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
}

/* Wherever in the parts they are named; nothing else is touched. */
Test(inheritance, named_descriptors_pass)
{
	int named = memfd_of("", 0), deep = memfd_of("", 0), other = memfd_of("", 0);
	char err[INHERITANCE_ERR_MAX];
	struct inheritance *h = NULL;
	json_t *root = parse(STATE);

	json_object_set_new(root, "lock_fd", json_integer(named));
	json_object_set_new(root, "supervisor", json_pack("{s:[{s:i, s:i}]}",
		"slots", "ipc_fd", deep, "fds", other));
	cr_assert_eq(read_json(root, &h, err), 0, "%s", err);
	inheritance_pass(h, true);
	cr_expect(passes(named));
	cr_expect(passes(deep));
	cr_expect_not(passes(other));
	inheritance_pass(h, false);
	cr_expect_not(passes(named));
	cr_expect_not(passes(deep));
	inheritance_free(&h);
	json_decref(root);
	close(named);
	close(deep);
	close(other);
}

Test(inheritance, the_variable_is_for_one)
{
	cr_expect_eq(inheritance_take_fd(), -1);
	setenv(INHERITANCE_ENV, "12", 1);
	cr_expect_eq(inheritance_take_fd(), 12);
	cr_expect_null(getenv(INHERITANCE_ENV));
	setenv(INHERITANCE_ENV, "1", 1);
	cr_expect_eq(inheritance_take_fd(), -1);
	setenv(INHERITANCE_ENV, "7x", 1);
	cr_expect_eq(inheritance_take_fd(), -1);
	cr_expect_null(getenv(INHERITANCE_ENV));
}

static void load_tally(json_t *items, struct tally *out, char err[MEMBERS_ERR_MAX])
{
	json_t *root = json_pack("{s:O}", "counts", items);
	struct members m = { root, "", err };

	*err = '\0';
	tally_load(out, &m, "counts");
	json_decref(root);
}

Test(inheritance, counts_go_on)
{
	struct stats_item items[] = {
		{ .kind = 'c', .name = "a", .help = "of a", .value = 7 },
		{ .kind = 'h', .name = "b", .help = "", .count = 3, .sum_us = 30,
		  .p50_us = 5, .p99_us = 9, .below = { 1, 2, 3, 3, 3 } },
	};
	struct tally from = { items, 2 }, to = { 0 };
	char err[MEMBERS_ERR_MAX];
	json_t *saved = tally_save(&from), *one;

	load_tally(saved, &to, err);
	cr_assert_str_eq(err, "");
	cr_assert_eq(to.n, 2);
	cr_expect_eq(tally_value(&to, "a"), 7);
	cr_expect_str_eq(to.items[0].help, "of a");
	cr_expect_eq(to.items[1].count, 3);
	cr_expect_eq(to.items[1].sum_us, 30);
	cr_expect_arr_eq(to.items[1].below, items[1].below, sizeof(items[1].below));
	tally_free(&to);

	/* Fewer bounds than ours: what is not known there was slow. */
	one = json_array_get(saved, 1);
	json_object_set_new(one, "below", json_pack("[i, i]", 1, 2));
	load_tally(saved, &to, err);
	cr_assert_str_eq(err, "");
	cr_expect_eq(to.items[1].below[1], 2);
	cr_expect_eq(to.items[1].below[STATS_BOUNDS - 1], 2);
	tally_free(&to);

	json_object_set_new(one, "kind", json_string("x"));
	load_tally(saved, &to, err);
	cr_expect_str_eq(err, ".counts[1].kind: unknown");
	tally_free(&to);
	json_object_del(one, "count");
	load_tally(saved, &to, err);
	cr_expect_str_eq(err, ".counts[1].count: missing");
	tally_free(&to);
	json_decref(saved);
}

static struct conf *some_conf(void)
{
	struct conf *c = NULL;
	char err[CONF_ERR_MAX];

	cr_assert_eq(conf_load(NULL, CONF_FOR_TOOL, &c, err), 0, "%s", err);
	return c;
}

Test(inheritance, status_needs_as_many_slots)
{
	struct conf *conf = some_conf();
	struct status *a = status_new(conf, NULL, NULL, 2);
	struct status *b = status_new(conf, NULL, NULL, 3);
	char err[MEMBERS_ERR_MAX] = "";
	json_t *root = json_pack("{s:o}", "status", status_save(a));
	struct members m = { root, "", err };

	status_load(b, &m);
	cr_expect_str_eq(err, "status.slots: not as many as there are listeners");
	*err = '\0';
	status_load(a, &m);
	cr_expect_str_eq(err, "");
	json_decref(root);
	status_free(&a);
	status_free(&b);
	conf_free(&conf);
}

Test(inheritance, what_counts_at_a_restart)
{
	struct conf *a = some_conf(), *b = some_conf();
	char err[CONF_ERR_MAX];
	const char *key;
	bool changed, port = false;

	a->port = 4711;
	for (size_t i = 0; (key = conf_restart_key(i)) != NULL; i++) {
		struct buf text = { 0 };

		port = port || strcmp(key, "port") == 0;
		cr_expect_str_neq(key, "stop_timeout");
		conf_restart_get(a, key, &text);
		cr_assert_eq(conf_restart_set(b, key, buf_str(&text), &changed,
					      err), 0, "%s", err);
		cr_expect_eq(changed, strcmp(key, "port") == 0, "%s", key);
		buf_free(&text);
	}
	cr_expect(port);
	cr_expect_eq(b->port, 4711);
	cr_expect_str_eq(a->run_dir, b->run_dir);
	/* Of another version. */
	cr_expect_eq(conf_restart_set(b, "gone", "1", &changed, err), 0);
	cr_expect_not(changed);
	cr_expect_eq(conf_restart_set(b, "port", "70000", &changed, err), -EINVAL);
	cr_expect_not_null(strstr(err, "port"), "%s", err);
	conf_free(&a);
	conf_free(&b);
}
