// The push queue on a real Kafka: what it has is no longer owed; what it could
// not be given is, until it can.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { suite } from './lib/cluster.mjs';
import { Broker } from './lib/kafka.mjs';
import { eventually } from './lib/wait.mjs';

const TOPIC = 'push_notifications';
const TIMEOUT = 3000;
const BLOCKED = 4 * TIMEOUT;	// what waits for Kafka does so for five times that
const broker = await Broker.start();
after(() => broker.stop());
await broker.createTopic(TOPIC);

const events = async () => (await broker.read(TOPIC)).map((m) => ({ ...m, event: JSON.parse(m.value) }));

const noneOwed = (c, match, ms = 60000) =>
  eventually(async (note) => {
    const owes = await c.store.owes(match);
    note(owes.filter((o) => o !== 0).length);
    return owes.every((o) => o === 0);
  }, 'nothing is owed', ms);

// All workers have it, or at least one has lost it.
const pushUp = (c, up) => eventually(async () => {
  const states = (await c.status()).slots.map((s) => s.stats.push_up);
  return up ? states.every((s) => s === 1) : states.includes(0);
}, `push_up ${up}`, 60000);

await suite({
  chat: { offline_grace: '500ms', delivery_timeout: '1s' },
  redis: { redis_timeout: `${TIMEOUT}ms` },	// Kafka's, too
  push: { push_queue_url: broker.url, push_take_back: 'on' },
}, {
  async 'an event keyed by its user, and nothing owed any more'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const sent = [];
    for (let i = 0; i < 20; i++) sent.push((await ca.send(match, `m${i}`)).messageId);
    await noneOwed(c, match);
    const mine = (await events()).filter((e) => e.key === b);
    assert.deepEqual(mine.map((e) => e.event.data.messageId).sort(), sent.sort());
    assert.ok(mine.every((e) => e.event.userId === b && e.event.type === 'new_message'));
    assert.equal(new Set(mine.map((e) => e.partition)).size, 1);
    assert.equal(await c.redis.exists(sent.map((id) => `pw:push:${id}`)), sent.length);
  },

  async 'what is read is told, to take its notification back'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const { messageId } = await ca.send(match, 'for later');
    await noneOwed(c, match);
    const cb = await c.connect(b);
    await cb.got('message:new', (m) => m.id === messageId);
    cb.socket.emit('message:read', { matchId: match, messageIds: [messageId] });
    await ca.got('message:read');
    const told = await eventually(async () =>
      (await events()).find((e) => e.key === b && e.event.type === 'message_read'), 'message_read');
    assert.deepEqual(told.event.data, { matchId: match, messageIds: [messageId] });
  },

  async 'sends go on while the broker is away, and are pushed when it is back'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const sent = [(await ca.send(match, 'before')).messageId];
    await noneOwed(c, match);
    await broker.kill();
    let slowest = 0;
    for (let i = 0; i < 30; i++) {
      const from = Date.now();
      sent.push((await ca.send(match, `away ${i}`)).messageId);
      slowest = Math.max(slowest, Date.now() - from);
    }
    await pushUp(c, 0);
    sent.push((await ca.send(match, 'it is known by now')).messageId);
    assert.ok(slowest < BLOCKED, `a send took ${slowest} ms`);
    assert.equal((await c.store.owes(match)).filter((o) => o !== 0).length, 31);
    await broker.restart();
    await pushUp(c, 1);
    await noneOwed(c, match);
    const ids = (await events()).filter((e) => e.key === b).map((e) => e.event.data.messageId);
    assert.deepEqual([...new Set(ids)].sort(), sent.sort());
    assert.equal(ids.length, sent.length, 'none of them twice');
  },

  async 'killed and started again under load'(c, t) {
    const pairs = await Promise.all(Array.from({ length: 10 }, () => c.pair()));
    const clients = await Promise.all(pairs.map((p) => c.connect(p.a)));
    const sent = new Set();
    const load = (n) => Promise.all(clients.map(async (client, i) => {
      for (let k = 0; k < n / clients.length; k++) sent.add((await client.send(pairs[i].match, `m${k}`)).messageId);
    }));
    const before = load(400);
    await Promise.race([before, eventually(() => sent.size >= 100, 'it is under load')]);
    await broker.kill();
    await before;
    const back = broker.restart();
    await load(200);
    await back;
    await load(200);
    for (const { match } of pairs) await noneOwed(c, match, 60000);
    const users = new Set(pairs.map((p) => p.b));
    const ids = (await events()).filter((e) => users.has(e.key)).map((e) => e.event.data.messageId);
    assert.deepEqual([...new Set(ids)].sort(), [...sent].sort());
    t.diagnostic(`${sent.size} messages, ${ids.length} events: ${ids.length - sent.size} twice`);
    // those that were on their way when it was killed
    assert.ok(ids.length - sent.size <= 100, `${ids.length - sent.size} twice`);
  },

  async 'a broker that hangs delays nobody'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const sent = [(await ca.send(match, 'before')).messageId];
    await noneOwed(c, match);
    broker.freeze();
    let slowest = 0;
    for (let i = 0; i < 20; i++) {
      const from = Date.now();
      sent.push((await ca.send(match, `m${i}`)).messageId);
      slowest = Math.max(slowest, Date.now() - from);
    }
    assert.ok(slowest < BLOCKED, `a send took ${slowest} ms`);
    await pushUp(c, 0);	// given up waiting
    broker.thaw();
    await noneOwed(c, match);
    const ids = (await events()).filter((e) => e.key === b).map((e) => e.event.data.messageId);
    assert.deepEqual([...new Set(ids)].sort(), sent.sort());
  },
});
