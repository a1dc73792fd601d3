/* Receipts, fetching and what is owed, against a real server. */
#include "tests/servers/store_fixture.h"

#define BATCH 6

struct scene {
	struct loop *l;
	struct message_store *s;
	struct message m[BATCH];
	message_id ids[BATCH];
};

/* Six messages of one sender to one recipient. */
static struct scene scene_new(void)
{
	struct scene c = { .l = loop_new() };

	c.s = store_new(c.l);
	for (int i = 0; i < BATCH; i++) {
		c.m[i] = message_new("x");
		memcpy(c.ids[i], c.m[i].id, sizeof(c.ids[i]));
		cr_assert_eq(insert_one(c.l, c.s, &c.m[i], NULL), STORE_OK);
	}
	return c;
}

static void scene_free(struct scene *c)
{
	message_store_free(&c->s);
	loop_free(&c->l);
}

static struct store_confirm confirm(struct scene *c, const char *recipient,
				    int from, int n)
{
	return (struct store_confirm){
		.recipient_id = recipient,
		.at_ms = cluster_now_ms(),
		.chg = cluster_next_pos(),
		.ids = (const char(*)[MESSAGE_ID_LEN + 1])&c->ids[from],
		.n = (size_t)n,
	};
}

static struct got delivered(struct scene *c, const struct store_confirm *cf)
{
	struct got g = { 0 };

	message_store_delivered(c->s, cf, on_rows, &g);
	cr_assert(!g.done, "answered within the call");
	WAIT_FOR(c->l, g.done);
	cr_assert_eq(g.err, 0);
	return g;
}

static struct got mark_read(struct scene *c, const char *match,
			    const struct store_confirm *cf)
{
	struct got g = { 0 };

	message_store_read(c->s, match, cf, on_rows, &g);
	WAIT_FOR(c->l, g.done);
	cr_assert_eq(g.err, 0);
	return g;
}

Test(marks, delivered_once_and_only_by_the_recipient)
{
	struct scene c = scene_new();
	struct store_confirm cf = confirm(&c, "somebody else", 0, BATCH);
	struct got g = delivered(&c, &cf);
	struct message *back;

	cr_expect_eq(g.n, 0);
	got_clear(&g);
	cf = confirm(&c, c.m[0].recipient_id, 0, 4);
	g = delivered(&c, &cf);
	cr_assert_eq(g.n, 4);
	for (int i = 0; i < 4; i++) {
		const struct message *r = got_find(&g, c.ids[i]);

		cr_assert_not_null(r);
		cr_expect_str_eq(r->match_id, c.m[i].match_id);
		cr_expect_str_eq(r->sender_id, c.m[i].sender_id);
		cr_expect_str_eq(r->recipient_id, c.m[i].recipient_id);
		cr_expect_str_eq(r->src, c.m[i].src);
		cr_expect_eq(r->delivered_at_ms, cf.at_ms);
	}
	got_clear(&g);
	back = get_one(c.l, c.s, c.ids[0]);
	cr_expect_eq(back->delivered_at_ms, cf.at_ms);
	cr_expect_eq(back->owe, 0);
	cr_expect_eq(back->chg, cf.chg);
	cr_expect_eq(back->pos, c.m[0].pos);
	cr_expect_eq(back->read_at_ms, 0);
	free(back);

	cf = confirm(&c, c.m[0].recipient_id, 0, BATCH);
	g = delivered(&c, &cf);
	cr_expect_eq(g.n, 2, "changed %zu", g.n);
	cr_expect_not_null(got_find(&g, c.ids[4]));
	cr_expect_not_null(got_find(&g, c.ids[5]));
	got_clear(&g);
	g = delivered(&c, &cf);
	cr_expect_eq(g.n, 0, "a second time");
	scene_free(&c);
}

/* One statement serves all; each caller is told of its own rows. */
Test(marks, delivered_of_one_turn)
{
	struct scene c = scene_new();
	struct got g[4] = { 0 };
	struct message other = message_new("x");
	const char *me = c.m[0].recipient_id;
	struct store_confirm cf[4];

	other.recipient_id = "another recipient";
	cr_assert_eq(insert_one(c.l, c.s, &other, NULL), STORE_OK);
	cf[0] = confirm(&c, me, 0, 2);
	cf[1] = confirm(&c, "another recipient", 0, 1);
	cf[1].ids = (const char(*)[MESSAGE_ID_LEN + 1])&other.id;
	cf[2] = confirm(&c, me, 1, 3);	/* its first is also cf[0]'s last */
	cf[3] = confirm(&c, "another recipient", 4, 2);	/* not his */
	for (int i = 0; i < 4; i++)
		message_store_delivered(c.s, &cf[i], on_rows, &g[i]);
	WAIT_FOR(c.l, g[0].done && g[1].done && g[2].done && g[3].done);
	cr_expect_eq(g[0].n + g[2].n, 4);
	cr_expect_not_null(got_find(&g[0], c.ids[0]));
	cr_expect_neq(got_find(&g[0], c.ids[1]) != NULL,
		      got_find(&g[2], c.ids[1]) != NULL,
		      "told both, or nobody");
	cr_expect_not_null(got_find(&g[2], c.ids[2]));
	cr_expect_not_null(got_find(&g[2], c.ids[3]));
	cr_expect_eq(g[1].n, 1);
	cr_expect_not_null(got_find(&g[1], other.id));
	cr_expect_eq(g[3].n, 0);
	for (int i = 0; i < 4; i++)
		got_clear(&g[i]);
	scene_free(&c);
}

/* Two devices on two workers confirm the same messages. */
Test(marks, delivered_by_two_stores)
{
	struct scene c = scene_new();
	struct message_store *s2 = store_new(c.l);
	struct got a = { 0 }, b = { 0 };
	struct store_confirm x = confirm(&c, c.m[0].recipient_id, 0, BATCH);
	struct store_confirm y = confirm(&c, c.m[0].recipient_id, 0, BATCH);

	y.at_ms = x.at_ms + 1;
	message_store_delivered(c.s, &x, on_rows, &a);
	message_store_delivered(s2, &y, on_rows, &b);
	WAIT_FOR(c.l, a.done && b.done);
	cr_expect_eq(a.n + b.n, BATCH, "%zu and %zu", a.n, b.n);
	for (int i = 0; i < BATCH; i++)
		cr_expect_neq(got_find(&a, c.ids[i]) != NULL,
			      got_find(&b, c.ids[i]) != NULL, "row %d", i);
	got_clear(&a);
	got_clear(&b);
	message_store_free(&s2);
	scene_free(&c);
}

Test(marks, bad_ids_spoil_nothing)
{
	struct scene c = scene_new();
	message_id ids[4];
	struct store_confirm cf = confirm(&c, c.m[0].recipient_id, 0, 1);
	struct got g;

	snprintf(ids[0], sizeof(ids[0]), "no id");
	memcpy(ids[1], c.ids[0], sizeof(ids[1]));
	memset(ids[2], 0xff, sizeof(ids[2]));
	snprintf(ids[3], sizeof(ids[3]), "%024d", 7);
	cf.ids = (const char(*)[MESSAGE_ID_LEN + 1])ids;
	cf.n = 4;
	g = delivered(&c, &cf);
	cr_expect_eq(g.n, 1);
	got_clear(&g);
	cf.n = 1;
	g = delivered(&c, &cf);
	cr_expect_eq(g.n, 0);
	cf.n = 0;
	g = delivered(&c, &cf);
	cr_expect_eq(g.n, 0);
	scene_free(&c);
}

Test(marks, read_implies_delivered)
{
	struct scene c = scene_new();
	const char *me = c.m[0].recipient_id, *match = c.m[0].match_id;
	struct store_confirm d = confirm(&c, me, 0, 2), r;
	struct got g;
	struct message *back;

	g = delivered(&c, &d);
	cr_expect_eq(g.n, 2);
	got_clear(&g);
	r = confirm(&c, me, 0, 4);
	r.at_ms = d.at_ms + 5;
	g = mark_read(&c, "another match", &r);
	cr_expect_eq(g.n, 0);
	r.recipient_id = c.m[0].sender_id;
	g = mark_read(&c, match, &r);
	cr_expect_eq(g.n, 0, "the sender read it");
	r.recipient_id = me;
	g = mark_read(&c, match, &r);
	cr_assert_eq(g.n, 4);
	for (int i = 0; i < 4; i++) {
		const struct message *m = got_find(&g, c.ids[i]);

		cr_assert_not_null(m);
		cr_expect_eq(m->read_at_ms, r.at_ms);
		cr_expect_eq(m->delivered_at_ms, i < 2 ? d.at_ms : r.at_ms);
		cr_expect_str_eq(m->sender_id, c.m[i].sender_id);
		cr_expect_str_eq(m->src, c.m[i].src);
	}
	got_clear(&g);
	back = get_one(c.l, c.s, c.ids[3]);
	cr_expect_eq(back->read_at_ms, r.at_ms);
	cr_expect_eq(back->delivered_at_ms, r.at_ms);
	cr_expect_eq(back->owe, 0);
	cr_expect_eq(back->chg, r.chg);
	free(back);

	r = confirm(&c, me, 3, 2);
	r.at_ms += 1000;
	g = mark_read(&c, match, &r);
	cr_expect_eq(g.n, 1, "changed %zu", g.n);
	cr_expect_not_null(got_find(&g, c.ids[4]));
	got_clear(&g);
	g = delivered(&c, &r);
	cr_expect_eq(g.n, 0, "delivered what was read");
	scene_free(&c);
}

Test(marks, get)
{
	struct scene c = scene_new();
	message_id ids[3];
	struct got g = { 0 };

	memcpy(ids[0], c.ids[2], sizeof(ids[0]));
	snprintf(ids[1], sizeof(ids[1]), "%024d", 1);
	memcpy(ids[2], c.ids[0], sizeof(ids[2]));
	message_store_get(c.s, (const char(*)[MESSAGE_ID_LEN + 1])ids, 3,
			  on_rows, &g);
	WAIT_FOR(c.l, g.done);
	cr_expect_eq(g.err, 0);
	cr_expect_eq(g.n, 2);
	cr_expect_not_null(got_find(&g, c.ids[0]));
	cr_expect_not_null(got_find(&g, c.ids[2]));
	got_clear(&g);
	message_store_get(c.s, NULL, 0, on_rows, &g);
	WAIT_FOR(c.l, g.done);
	cr_expect_eq(g.err, 0);
	cr_expect_eq(g.n, 0);
	scene_free(&c);
}

static int64_t owe_after(struct scene *c, int i, int64_t owe)
{
	struct last done = { 0 };
	struct message *back;

	message_store_set_owe(c->s, c->ids[i], owe, on_done, &done);
	WAIT_FOR(c->l, done.done);
	cr_assert_eq(done.err, 0);
	back = get_one(c->l, c->s, c->ids[i]);
	cr_assert_not_null(back);
	owe = back->owe;
	free(back);
	return owe;
}

Test(marks, set_owe)
{
	struct scene c = scene_new();
	struct store_confirm cf = confirm(&c, c.m[0].recipient_id, 1, 1);
	struct got g = delivered(&c, &cf);

	got_clear(&g);
	cr_expect_eq(owe_after(&c, 0, 12345), 12345);
	cr_expect_eq(owe_after(&c, 0, 0), 0);
	cr_expect_eq(owe_after(&c, 0, 777), 0, "owes again");
	cr_expect_eq(owe_after(&c, 1, 777), 0, "delivered and owes");
	scene_free(&c);
}
