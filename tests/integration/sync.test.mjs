// message:sync: what the store has, page by page.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { eventually } from './lib/wait.mjs';

// All pages, as an app reads them: forward from `after`, or back from now.
async function walk(client, query, forward) {
  const all = [];
  for (let bound = {}; ;) {
    const page = await client.ask('message:sync', { ...query, ...bound });
    assert.equal(page.ok, true, JSON.stringify(page));
    if (forward) all.push(...page.messages);
    else all.unshift(...page.messages);
    if (!page.hasMore) return all;
    bound = forward ? { after: page.messages.at(-1).id } : { before: page.messages[0].id };
  }
}

const ids = (messages) => messages.map((m) => m.id);

// Of several senders, who may have the same millisecond: all, and in order of it.
function assertAll(messages, sent, what) {
  assert.deepEqual(ids(messages).sort(), [...sent].sort(), what);
  messages.reduce((last, m) => { assert.ok(last <= m.sentAt, what); return m.sentAt; }, '');
}

await suite({ chat: { content_max: 20000 } }, {
  async 'the history of a match, both ways'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const sent = [];
    for (let i = 0; i < 12; i++) sent.push((await ca.send(match, `m${i}`, { tempId: `t${i}` })).messageId);
    assert.deepEqual(ids(await walk(ca, { matchId: match, limit: 5 }, false)), sent);
    assert.deepEqual(ids(await walk(ca, { matchId: match, limit: 5, after: 1 }, true)), sent);
    assert.deepEqual(ids(await walk(ca, { matchId: match, limit: 12 }, false)), sent);
    assert.equal((await ca.ask('message:sync', { matchId: match, limit: 12 })).hasMore, false);
    const cb = await c.connect(b);
    assert.deepEqual(ids(await walk(cb, { matchId: match, limit: 7 }, false)), sent);
    const between = await ca.ask('message:sync', { matchId: match, after: sent[2], before: sent[6] });
    assert.deepEqual([ids(between.messages), between.hasMore], [sent.slice(3, 6), false]);
    const newest = await ca.ask('message:sync', { matchId: match, limit: 2 });
    assert.deepEqual([ids(newest.messages), newest.hasMore], [sent.slice(10), true]);
    const by = await ca.ask('message:sync', { matchId: match, before: newest.messages[0].sentAt, limit: 3 });
    assert.deepEqual(ids(by.messages), sent.slice(7, 10));
  },

  async 'a message tells what became of it'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const cb = await c.connect(b);
    const one = await ca.send(match, 'read', { tempId: 7, type: 'image', mediaUrl: 'http://x/y' });
    await ca.got('message:delivered', (d) => d.messageId === one.messageId);
    const { readAt } = await cb.ask('message:read', { matchId: match, messageIds: [one.messageId] });
    const whole = {
      id: one.messageId, matchId: match, senderId: a, content: 'read', type: 'image', mediaUrl: 'http://x/y', sentAt: one.sentAt,
      deliveredAt: ca.all('message:delivered')[0].deliveredAt, readAt,
    };
    assert.deepEqual((await cb.ask('message:sync', { matchId: match })).messages, [whole]);
    assert.deepEqual((await ca.ask('message:sync', { matchId: match })).messages, [{ ...whole, tempId: 7 }]);
    cb.close();
    await ca.send(match, 'to nobody');
    const [, two] = (await ca.ask('message:sync', { after: 1 })).messages;
    assert.deepEqual([two.content, two.deliveredAt, two.readAt, 'tempId' in two], ['to nobody', null, null, false]);
  },

  async 'all matches since, but those that ended'(c) {
    const [me, x, y, gone] = await Promise.all([1, 2, 3, 4].map(() => c.user()));
    const [mx, my, ended] = [await c.match(me, x), await c.match(y, me), await c.match(me, gone)];
    const [cm, cx, cy, cg] = await Promise.all([me, x, y, gone].map((u) => c.connect(u)));
    const sent = [];
    const old = await cx.send(mx, 'before');
    for (let i = 0; i < 5; i++) {
      sent.push((await cx.send(mx, `x${i}`)).messageId);
      sent.push((await cm.send(my, `me${i}`)).messageId);
      sent.push((await cy.send(my, `y${i}`)).messageId);
      for (let k = 0; k < 3; k++) await cg.send(ended, `gone${i}`);
    }
    assert.equal((await walk(cm, { after: old.messageId }, true)).length, 30);
    await c.unmatch(ended);
    await eventually(async () => (await cm.ask('message:sync', { matchId: ended })).code === 'INVALID_MATCH', 'unmatched');
    // pages of which nothing is left do not end it
    for (const limit of [1, 2, 7, 100]) assertAll(await walk(cm, { after: old.messageId, limit }, true), sent, `limit ${limit}`);
    assertAll(await walk(cm, { after: old.sentAt, limit: 4 }, true), sent);
    assertAll(await walk(cm, { after: 0 }, true), [old.messageId, ...sent]);
    assert.deepEqual(await walk(cm, { after: Date.now() + 60000 }, true), []);
  },

  async 'a page ends at 256 KiB'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const sent = [];
    for (const answer of await Promise.all(Array.from({ length: 40 }, (_, i) => ca.send(match, `${i}${'x'.repeat(19000)}`)))) sent.push(answer.messageId);
    const page = await ca.ask('message:sync', { matchId: match, limit: 100 });
    assert.equal(page.hasMore, true);
    assert.ok(page.messages.length >= 13 && page.messages.length <= 14, `${page.messages.length}`);
    assert.deepEqual(ids(page.messages), sent.slice(-page.messages.length));
    assert.deepEqual(ids(await walk(ca, { matchId: match, limit: 100 }, false)), sent);
    assert.deepEqual(ids(await walk(ca, { matchId: match, limit: 100, after: 1 }, true)), sent);
    const cb = await c.connect(b);
    assert.deepEqual(ids(await walk(cb, { after: 1, limit: 100 }, true)), sent);
  },

  async 'nobody else\'s'(c) {
    const { a, match } = await c.pair();
    const ca = await c.connect(a);
    const secret = await ca.send(match, 'secret');
    const stranger = await c.connect(await c.user());
    const code = async (q) => (await stranger.ask('message:sync', q)).code;
    assert.equal(await code({ matchId: match }), 'INVALID_MATCH');
    assert.equal(await code({ matchId: match, after: secret.messageId }), 'INVALID_MATCH');
    assert.equal(await code({ after: secret.messageId }), 'INVALID_PAYLOAD');
    assert.deepEqual((await stranger.ask('message:sync', { after: 1 })).messages, []);
  },

  async 'what is wrong is said'(c) {
    const { a, match } = await c.pair();
    const other = await c.match(a, await c.user());
    const ca = await c.connect(a);
    const elsewhere = await ca.send(other, 'hi');
    for (const q of [null, {}, { before: 5 }, { matchId: match, after: 'x' }, { matchId: match, limit: 101 },
      { matchId: match, after: elsewhere.messageId }, { after: 'f'.repeat(24) }]) {
      const answer = await ca.ask('message:sync', q);
      assert.deepEqual([answer.ok, answer.code], [false, 'INVALID_PAYLOAD'], JSON.stringify(q));
      assert.ok(answer.message.length > 10);
    }
    ca.emit('message:sync', { matchId: match });
    await ca.got('error', (e) => /acknowledgement/.test(e.message));
  },
});
