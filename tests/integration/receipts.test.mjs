// Delivered and read: what they promise, and who hears of it.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { eventually, until } from './lib/wait.mjs';

const unread = (c, match, user) => c.redis.get(`unread:${match}:${user}`).then((n) => Number(n ?? 0));

async function unreadBecomes(c, match, user, n) {
  await eventually(async (note) => {
    const is = await unread(c, match, user);
    note(is);
    return is === n;
  }, `unread is ${n}`);
}

// b's device of that many messages from a.
async function withMessages(c, n) {
  const pair = await c.pair();
  const [one, two] = await c.instances();
  const [ca, cb] = [await c.connect(pair.a, { on: one }), await c.connect(pair.b, { on: two })];
  const ids = [];
  for (let i = 0; i < n; i++) ids.push((await ca.send(pair.match, `message ${i}`)).messageId);
  await cb.gotMany(n, 'message:new');
  return { ...pair, ca, cb, ids };
}

// no ping but those that follow a message
await suite({ engine: { ping_interval: '10m' } }, {
  async 'message:read reaches all devices of both'(c) {
    const { a, b, match, ca, cb, ids } = await withMessages(c, 3);
    const [one, two] = await c.instances();
    const devices = [ca, cb, await c.connect(a, { on: two }), await c.connect(b, { on: one })];
    const answer = await cb.ask('message:read', { matchId: match, messageIds: ids.slice(0, 2) });
    assert.equal(answer.ok, true);
    for (const device of devices) {
      const read = await device.got('message:read');
      assert.deepEqual(Object.keys(read).sort(), ['matchId', 'messageIds', 'readAt', 'readBy']);
      assert.equal(read.matchId, match);
      assert.equal(read.readBy, b);
      assert.deepEqual([...read.messageIds].sort(), ids.slice(0, 2).sort());
      assert.match(read.readAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
    const rows = await c.store.messages(match);
    const [{ readAt }] = ca.all('message:read');
    assert.deepEqual(rows.map((r) => r.readAt), [readAt, readAt, null]);
  },

  async 'only ids that changed are listed'(c) {
    const { match, ca, cb, ids } = await withMessages(c, 3);
    await cb.ask('message:read', { matchId: match, messageIds: [ids[0]] });
    const strange = 'f'.repeat(24);
    await cb.ask('message:read', { matchId: match, messageIds: [ids[0], ids[1], strange] });
    // all of them changed before: no event at all
    await cb.ask('message:read', { matchId: match, messageIds: ids.slice(0, 2) });
    await cb.ask('message:read', { matchId: match, messageIds: [ids[2]] });
    await ca.got('message:read', (r) => r.messageIds.includes(ids[2]));
    assert.deepEqual(ca.all('message:read').map((r) => r.messageIds), [[ids[0]], [ids[1]], [ids[2]]]);
  },

  async 'one cannot read what one sent, nor in another match'(c) {
    const { a, match, ca, cb, ids } = await withMessages(c, 2);
    const other = await c.match(a, await c.user());
    await ca.ask('message:read', { matchId: match, messageIds: ids });
    await ca.ask('message:read', { matchId: other, messageIds: ids });
    await cb.ask('message:read', { matchId: match, messageIds: [ids[1]] });
    await ca.got('message:read');
    assert.deepEqual(ca.all('message:read').map((r) => r.messageIds), [[ids[1]]]);
    assert.deepEqual((await c.store.messages(match)).map((r) => r.readAt !== null), [false, true]);
  },

  async 'unread counters follow what was read, match by match'(c) {
    const { a, b, match, ca, cb, ids } = await withMessages(c, 3);
    const third = await c.user();
    const other = await c.match(b, third);
    const cc = await c.connect(third);
    await cc.send(other, 'from a third');
    await unreadBecomes(c, match, b, 3);
    await unreadBecomes(c, other, b, 1);
    await cb.ask('message:read', { matchId: match, messageIds: [ids[1]] });
    await unreadBecomes(c, match, b, 2);
    await cb.ask('message:read', { matchId: match, messageIds: ids });
    await unreadBecomes(c, match, b, 0);
    assert.equal(await unread(c, other, b), 1, 'the other match is untouched');
    await ca.send(match, 'one more');
    await unreadBecomes(c, match, b, 1);
    assert.equal(await unread(c, match, a), 0);
  },

  async 'more than 500 ids in a call are refused'(c) {
    const { match, cb } = await withMessages(c, 1);
    const ids = Array.from({ length: 501 }, (_, i) => i.toString(16).padStart(24, '0'));
    const answer = await cb.ask('message:read', { matchId: match, messageIds: ids });
    assert.deepEqual([answer.ok, answer.code], [false, 'INVALID_PAYLOAD']);
    assert.equal((await cb.ask('message:read', { matchId: match, messageIds: ids.slice(1) })).ok, true);
  },

  async 'delivered only after the pong, and only what was sent before its ping'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const raw = await c.rawJoin(b, { answerPings: false });
    const ids = [(await ca.send(match, 'one')).messageId];
    await raw.frame((f) => f === '2');
    assert.ok(raw.frames.indexOf('2') > raw.frames.findIndex((f) => f.includes('"message:new"')), 'the ping follows');
    for (const content of ['two', 'three']) {
      ids.push((await ca.send(match, content)).messageId);
      await raw.frame((f) => f.includes(`"content":"${content}"`));
    }
    // all of it is there; nothing of it is confirmed
    raw.send('421["message:read",null]');
    await raw.frame((f) => f.startsWith('431'));
    assert.equal(raw.pings, 1, 'one ping at a time');
    assert.deepEqual(ca.all('message:delivered'), []);
    assert.deepEqual((await c.store.messages(match)).map((r) => r.deliveredAt), [null, null, null]);
    raw.send('3');
    const first = await ca.got('message:delivered');
    assert.equal(first.messageId, ids[0]);
    if (raw.pings < 2) await until(raw, 'frame', (f) => f === '2');
    assert.equal(ca.all('message:delivered').length, 1);
    assert.deepEqual((await c.store.messages(match)).map((r) => r.deliveredAt), [first.deliveredAt, null, null]);
    raw.send('3');
    await ca.gotMany(3, 'message:delivered');
    assert.deepEqual(ca.all('message:delivered').map((d) => d.messageId), ids);
  },

  async 'a pong that nobody asked for delivers nothing'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const raw = await c.rawJoin(b, { answerPings: false });
    raw.send('3');
    raw.send('3');
    const { messageId } = await ca.send(match, 'x');
    await raw.event('message:new');
    await raw.frame((f) => f === '2');
    // the worker has seen the pongs: it answers what was sent after them
    raw.send('421["message:read",null]');
    await raw.frame((f) => f.startsWith('431'));
    assert.deepEqual(ca.all('message:delivered'), []);
    raw.send('3');
    await ca.got('message:delivered', (d) => d.messageId === messageId);
  },

  async 'reading delivers'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const raw = await c.rawJoin(b, { answerPings: false });
    const { messageId } = await ca.send(match, 'x');
    await raw.event('message:new');
    raw.send(`42${JSON.stringify(['message:read', { matchId: match, messageIds: [messageId] }])}`);
    await ca.got('message:read');
    await ca.got('message:delivered', (d) => d.messageId === messageId);
    const [row] = await c.store.messages(match);
    assert.equal(row.deliveredAt, row.readAt);
  },
});
