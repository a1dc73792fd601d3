// What is not confirmed in time is pushed, whoever dies meanwhile; what is, is
// not; and nothing is pushed twice.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { suite } from './lib/cluster.mjs';
import { Reader } from './lib/reader.mjs';
import { eventually, within } from './lib/wait.mjs';

const TIMEOUT = 2000;	// delivery_timeout, offline_grace

// A client that reads nothing more: no pong.
async function frozen(c, user) {
  const client = await c.rawJoin(user, { answerPings: false });
  const beat = client.pings;
  return Object.assign(client, {
    async pinged() { await eventually(() => client.pings > beat, 'a barrier'); },
  });
}

// Everything that fell due before this call has been looked at.
async function sweptByNow(c, pushed = (user) => c.pushed(user)) {
  const { a, b, match } = await c.pair();
  await frozen(c, b);
  await (await c.connect(a)).send(match, 'the sentinel');
  await pushed(b);
}

const total = (status, name) => status.slots.reduce((n, s) => n + s.stats[name], 0);

await suite({
  chat: { delivery_timeout: `${TIMEOUT}ms`, offline_grace: `${TIMEOUT}ms` },
  push: { push_requeue: '3s' },
}, {
  async 'pushed when a client does not confirm in time'(c) {
    const { a, b, match } = await c.pair();
    const [ca, cb] = [await c.connect(a), await frozen(c, b)];
    const from = Date.now();
    const sent = await ca.send(match, 'are you there?');
    await cb.pinged();
    const [event] = await c.pushed(b);
    assert.ok(Date.now() - from >= TIMEOUT - 50, `after ${Date.now() - from} ms`);
    assert.equal(event.data.messageId, sent.messageId);
    assert.deepEqual(ca.all('message:delivered'), []);
    cb.send('3');	// late, and as good
    await ca.got('message:delivered', (d) => d.messageId === sent.messageId);
  },

  async 'not pushed when it does, nor what was read'(c) {
    const { b, cb, reader } = await within(TIMEOUT, async (begin) => {
      const { a, b, match } = await c.pair();
      const [ca, cb] = [await c.connect(a), await c.connect(b)];
      const reader = await c.user();
      const other = await c.match(a, reader);
      const cr = await frozen(c, reader);
      begin();
      for (let i = 0; i < 10; i++) await ca.send(match, `m${i}`);
      await ca.gotMany(10, 'message:delivered');
      const { messageId } = await ca.send(other, 'read this');
      cr.send(`421["message:read",${JSON.stringify({ matchId: other, messageIds: [messageId] })}]`);
      await ca.got('message:read');
      return { b, cb, reader };
    });
    await sweptByNow(c);
    assert.deepEqual(await c.pushes(b), []);
    assert.deepEqual(await c.pushes(reader), []);
    assert.equal(cb.all('message:new').length, 10);
  },

  async 'no push for one who is back within his grace'(c) {
    const { b, cb } = await within(TIMEOUT, async (begin) => {
      const { a, b, match } = await c.pair();
      const ca = await c.connect(a);
      const before = await c.connect(b);
      begin();
      before.close();
      const { messageId } = await ca.send(match, 'are you back?');
      const cb = await c.connect(b);
      await cb.got('message:new', (m) => m.id === messageId);
      await ca.got('message:delivered', (d) => d.messageId === messageId);
      return { b, cb };
    });
    await sweptByNow(c);
    assert.deepEqual(await c.pushes(b), []);
    assert.equal(cb.all('message:new').length, 1);
  },

  async 'what nobody told a device of reaches it, and is pushed'(c) {
    const [one, two] = await c.instances();
    const { b, match, ca, devices, messageId } = await within(TIMEOUT, async (begin) => {
      const { a, b, match } = await c.pair();
      const ca = await c.connect(a);
      const devices = [await c.connect(b, { on: one }), await c.connect(b, { on: two })];
      begin();
      const { messageId } = await ca.send(match, 'the first');
      await ca.got('message:delivered', (d) => d.messageId === messageId);
      return { b, match, ca, devices, messageId };
    });
    const orphan = randomBytes(12).toString('hex');
    await c.store.orphan(messageId, orphan);
    for (const device of devices) await device.got('message:new', (m) => m.id === orphan);
    await ca.got('message:delivered', (d) => d.messageId === orphan);
    const events = await c.pushed(b);
    assert.deepEqual(events.map((e) => e.data.messageId), [orphan]);
    await eventually(async () => await c.redis.get(`unread:${match}:${b}`) === '2', 'counted, too');
  },

  async 'neither pushed nor owed when the match ended'(c) {
    const { b, match } = await within(TIMEOUT, async (begin) => {
      const { a, b, match } = await c.pair();
      const [ca, cb] = [await c.connect(a), await frozen(c, b)];
      begin();
      await ca.send(match, 'bye');
      await cb.pinged();
      await c.unmatch(match);
      return { b, match };
    });
    await eventually(async () => (await c.store.owes(match)).every((o) => o === 0), 'nothing owed');
    assert.deepEqual(await c.pushes(b), []);
    assert.ok(total(await c.status(), 'sweep_dropped') >= 1);
  },

  async 'pushed when the workers of both die'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const [ca, cb] = [await c.connect(a, { on: one }), await c.rawJoin(b, { answerPings: false })];
    const sent = await ca.send(match, 'the last one');
    await cb.event('message:new');
    for (const instance of [one, two]) process.kill((await c.worker(instance)).pid, 'SIGKILL');
    await c.ready();
    const [event] = await c.pushed(b);
    assert.equal(event.data.messageId, sent.messageId);
  },

  async 'queued again when Redis lost it, and once only'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const { messageId } = await ca.send(match, 'you are away');
    await c.pushed(b);
    await c.redis.flushDb();
    const events = await c.pushed(b);
    assert.deepEqual(events.map((e) => e.data.messageId), [messageId]);
    await sweptByNow(c);
    assert.equal((await c.pushes(b)).length, 1);
    await c.ready();
  },

  async 'not queued again when it was acknowledged'(c) {
    const { a, b, match } = await c.pair();
    const reader = new Reader(c);
    const ca = await c.connect(a);
    const { messageId } = await ca.send(match, 'you are away');
    await eventually(() => reader.of(b).length === 1, 'the event is read');
    assert.equal(reader.of(b)[0].data.messageId, messageId);
    await eventually(async () => (await c.store.owes(match)).every((o) => o === 0), 'nothing owed');
    await eventually(async () => (await c.redis.xLen('push_notifications')) === 0, 'it is acknowledged');
    await c.redis.flushDb();	// markers too: only the row can tell
    await sweptByNow(c, (user) => eventually(() => reader.of(user).length === 1, 'the sentinel'));
    assert.equal(reader.of(b).length, 1);
    assert.deepEqual(await reader.end(), { code: 0, signal: null });
    await c.ready();
  },
});

await suite({
  chat: { delivery_timeout: `${TIMEOUT}ms`, offline_grace: `${TIMEOUT}ms` },
  push: { push_queue_limit: 2 },
}, {
  async 'what a full queue refused goes out when it is read'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const ids = [];
    for (let i = 0; i < 5; i++) ids.push((await ca.send(match, `m${i}`)).messageId);
    await c.pushed(b, 2);
    await eventually(async () => total(await c.status(), 'push_refused') >= 3, 'the rest refused');
    assert.equal((await c.pushes(b)).length, 2);
    const reader = new Reader(c);
    await eventually(() => reader.of(b).length >= 5, 'all are read');
    assert.deepEqual(reader.of(b).map((e) => e.data.messageId).sort(), ids.sort());
    assert.equal((await reader.end()).code, 0);
  },
});
