/* The directory, of users: names, peers, who is known to whom. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/servers/directory/fixture.h"

struct name {
	int calls, err;
	char text[32];
};

static void on_name(void *arg, int err, const char *name)
{
	struct name *n = arg;

	n->calls++;
	n->err = err;
	snprintf(n->text, sizeof(n->text), "%s", name);
}

static bool name_is(const char *user_id, const char *want)
{
	struct name n = { 0 };

	directory_name(d, user_id, on_name, &n);
	WAIT_FOR(l, n.calls == 1);
	return n.err == 0 && strcmp(n.text, want) == 0;
}

Test(directory, names_come_when_they_are_there)
{
	two_users();
	open_directory(false);
	cr_assert(name_is("ann", "Ann"));
	cr_assert(name_is("ann", "Ann"));
	cr_assert(name_is("bob", ""));
	cr_assert(name_is("nobody", ""));
	sql("UPDATE users SET first_name = 'Anna' WHERE id = 'ann'");
	WAIT_FOR(l, name_is("ann", "Anna"));
	sql("UPDATE users SET last_seen = now()");
	cr_assert(name_is("ann", "Anna"));
}

Test(directory, peers_are_those_of_live_matches)
{
	sql("INSERT INTO matches VALUES ('1', 'ann', 'bob', NULL),"
	    " ('2', 'cy', 'ann', NULL), ('3', 'ann', 'dee', now()),"
	    " ('4', 'eve', 'ann', now()), ('5', 'cy', 'bob', NULL),"
	    " ('6', 'ann', 'ann', NULL)");
	open_directory(true);
	cr_assert_str_eq(peers_of("ann").text, "bob cy ");
	cr_assert_str_eq(peers_of("dee").text, "");
	cr_assert_eq(peers_of("dee").err, 0);
	proxy_open(proxy, false);
	WAIT_FOR(l, gauge("postgres_up") == 0);
	cr_assert_eq(peers_of("ann").err, -EAGAIN);
}

Test(directory, peers_of_many_users_are_one_query)
{
	static struct peers p[200];
	char id[16];

	sql("INSERT INTO matches SELECT 'n' || i, 'u' || i, 'u' || (i + 1)"
	    " FROM generate_series(0, 199) i");
	open_directory(false);
	for (int i = 0; i < 199; i++) {
		snprintf(id, sizeof(id), "u%d", i + 1);
		directory_peers(d, id, on_peers, &p[i]);
	}
	directory_peers(d, "u1", on_peers, &p[199]);	/* once more */
	WAIT_FOR(l, p[199].calls == 1 && p[198].calls == 1);
	for (int i = 0; i < 199; i++) {
		snprintf(id, sizeof(id), "u%d ", i);
		cr_expect_eq(p[i].calls, 1);
		cr_expect_not_null(strstr(p[i].text, id), "%s", p[i].text);
		snprintf(id, sizeof(id), "u%d ", i + 2);
		cr_expect_not_null(strstr(p[i].text, id), "%s", p[i].text);
	}
	cr_expect_str_eq(p[199].text, p[0].text);
}

struct known {
	int calls, err;
	char text[200];
};

static void on_known(void *arg, int err, const bool *is, const int64_t *seen,
		     size_t n)
{
	struct known *k = arg;

	k->calls++;
	k->err = err;
	for (size_t i = 0; i < n; i++)
		snprintf(k->text + strlen(k->text),
			 sizeof(k->text) - strlen(k->text), "%d:%lld ", is[i],
			 (long long)seen[i]);
}

static struct known known_to(const char *user_id, const char *const *ids,
			     size_t n)
{
	struct known k = { 0 };

	directory_matched(d, user_id, ids, n, on_known, &k);
	cr_assert_eq(k.calls, 0);
	WAIT_FOR(l, k.calls > 0);
	return k;
}

Test(directory, only_matches_are_known)
{
	static const char *const ids[] = { "bob", "cy", "dee", "ann", "\"" };

	sql("INSERT INTO users VALUES ('bob', 'Bob', to_timestamp(1700000000.123)),"
	    " ('dee', 'Dee', now())");
	sql("INSERT INTO matches VALUES ('1', 'ann', 'bob', NULL),"
	    " ('2', 'cy', 'ann', NULL), ('3', 'ann', 'dee', now())");
	open_directory(true);
	cr_assert_str_eq(known_to("ann", ids, 5).text,
			 "1:1700000000123 1:0 0:0 0:0 0:0 ");
	cr_assert_str_eq(known_to("zoe", ids, 2).text, "0:0 0:0 ");
	proxy_open(proxy, false);
	WAIT_FOR(l, gauge("postgres_up") == 0);
	cr_assert_eq(known_to("ann", ids, 1).err, -EAGAIN);
}

/* An id that the column cannot hold spoils nothing for the others. */
static void peers_of_uuids(void)
{
	static const char a[] = "6f1d3a52-0a0f-4c62-9a53-0d2b7a1f5aaa";
	static const char b[] = "6f1d3a52-0a0f-4c62-9a53-0d2b7a1f5bbb";
	static const char *const ids[] = { "no uuid", b };
	static struct peers good, bad;

	sql("INSERT INTO matches VALUES (gen_random_uuid(), '%s', '%s')", a, b);
	directory_peers(d, a, on_peers, &good);
	directory_peers(d, "not a uuid", on_peers, &bad);
	WAIT_FOR(l, good.calls && bad.calls);
	cr_assert(strncmp(good.text, b, strlen(b)) == 0, "%s", good.text);
	cr_assert(bad.err == 0 && bad.text[0] == '\0');
	cr_assert_str_eq(known_to(a, ids, 2).text, "0:0 1:0 ");
	cr_assert_str_eq(known_to("not a uuid", ids, 2).text, "0:0 0:0 ");
}

Test(directory, ids_of_another_type_work)
{
	static const char *const m = "6f1d3a52-0a0f-4c62-9a53-0d2b7a1f5a10";
	static struct answer good, bad, utf8;

	sql("DROP TABLE matches; CREATE TABLE matches (id uuid PRIMARY KEY,"
	    " user_a_id uuid, user_b_id uuid, unmatched_at timestamp,"
	    " last_message_at timestamp);"
	    "INSERT INTO matches VALUES ('%s', gen_random_uuid(),"
	    " gen_random_uuid())", m);
	open_directory(false);
	directory_match(d, m, on_answer, &good);
	directory_match(d, "not a uuid", on_answer, &bad);
	directory_match(d, "\xff\xfe", on_answer, &utf8);
	WAIT_FOR(l, good.calls && bad.calls && utf8.calls);
	cr_assert(good.live);
	cr_assert(bad.err == 0 && !bad.exists);
	cr_assert(utf8.err == 0 && !utf8.exists);
	cr_assert_eq(peers_of("not a uuid").err, 0);
	peers_of_uuids();

	directory_message_at(d, "not a uuid", 1700000000123);
	directory_message_at(d, m, 1700000000123);
	WAIT_FOR(l, sql_long("SELECT count(*) FROM matches WHERE last_message_at"
			     " = '2023-11-14 22:13:20.123'") == 1);
}
