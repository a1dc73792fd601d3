// Delivered is what a device has proved to have: by a pong, or by saying so.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { Poller } from './lib/poller.mjs';
import { KIND } from './lib/store.mjs';
import { eventually } from './lib/wait.mjs';

const total = (status, name) => status.slots.reduce((n, s) => n + s.stats[name], 0);
const isMessage = (f) => typeof f === 'string' && f.startsWith('42["message:new"');
let acks = 0;

// Asks as a raw client and returns the acknowledgement.
async function ask(raw, name, payload) {
  const id = ++acks;
  raw.send(`42${id}${JSON.stringify([name, payload])}`);
  const head = `43${id}[`;
  const frame = await raw.frame((f) => typeof f === 'string' && f.startsWith(head));
  return JSON.parse(frame.slice(head.length - 1))[0];
}
const received = (raw, ...messageIds) => ask(raw, 'message:received', { messageIds });

// Everything that was on its way to this client has come.
const settled = (client) => client.roundTrip();

const tests = {
  async 'the app says it itself, and pongs say nothing any more'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const cb = await c.rawJoin(b);
    const first = await ca.send(match, 'one');
    await ca.got('message:delivered', (d) => d.messageId === first.messageId);	// by pong
    assert.deepEqual(await received(cb, first.messageId), { ok: true });
    const second = await ca.send(match, 'two');
    const third = await ca.send(match, 'three');
    await eventually(() => cb.frames.filter(isMessage).length === 3, 'all three');
    await received(cb, 'f'.repeat(24));	// a round trip, a ping or not meanwhile
    await c.pushed(b, 2);	// neither is confirmed
    assert.equal(ca.all('message:delivered').length, 1);
    assert.deepEqual(await received(cb, third.messageId, second.messageId, third.messageId), { ok: true });
    await ca.gotMany(3, 'message:delivered');
    assert.deepEqual(await received(cb, second.messageId), { ok: true });
    await settled(ca);
    assert.deepEqual(ca.all('message:delivered').map((d) => d.messageId).sort(),
      [first, second, third].map((m) => m.messageId).sort());
    const rows = await c.store.messages(match);
    assert.deepEqual(rows.map((r) => r.deliveredAt).sort(), ca.all('message:delivered').map((d) => d.deliveredAt).sort());
  },

  async 'only one\'s own incoming messages count'(c) {
    const { a, b, match } = await c.pair();
    const stranger = await c.connect(await c.user());
    const [ca, cb] = [await c.connect(a), await c.rawJoin(b, { answerPings: false })];
    const { messageId } = await ca.send(match, 'x');
    await cb.event('message:new');
    for (const client of [ca, stranger]) assert.deepEqual(await client.ask('message:received', { messageIds: [messageId] }), { ok: true });
    await settled(ca);
    assert.deepEqual(ca.all('message:delivered'), []);
    assert.equal((await c.store.messages(match))[0].deliveredAt, null);
  },

  async 'what another device was sent, or this one before it came back'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const lost = await c.rawJoin(b, { answerPings: false });
    const { messageId } = await ca.send(match, 'x');
    await lost.event('message:new');
    lost.close();
    const back = await c.rawJoin(b, { answerPings: false });
    assert.deepEqual(await received(back, messageId), { ok: true });
    await ca.got('message:delivered', (d) => d.messageId === messageId);
  },

  async 'wrong calls are refused, and change nothing'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const cb = await c.connect(b);
    for (const payload of [null, {}, { messageIds: 'x' }, { messageIds: [] }, { messageIds: ['short'] },
      { messageIds: [1] }, { messageIds: Array(501).fill('f'.repeat(24)) }]) {
      const answer = await cb.ask('message:received', payload);
      assert.equal(answer.code, 'INVALID_PAYLOAD', JSON.stringify(payload));
    }
    const { messageId } = await ca.send(match, 'still by pong');
    await ca.got('message:delivered', (d) => d.messageId === messageId);
    assert.deepEqual(await cb.ask('message:received', { messageIds: Array(500).fill(messageId) }), { ok: true });
  },

  async 'of two devices one is enough, and is told once'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a);
    const frozen = await c.rawJoin(b, { answerPings: false });
    const devices = [await c.connect(b, { on: one }), await c.connect(b, { on: two })];
    for (let i = 0; i < 20; i++) await ca.send(match, `m${i}`);
    await ca.gotMany(20, 'message:delivered');
    for (const device of devices) await device.gotMany(20, 'message:new');
    for (const device of devices) await settled(device);
    await settled(ca);
    assert.equal(ca.all('message:delivered').length, 20);
    frozen.send('3');	// it has them, too: nothing new
    await ca.send(match, 'the last');
    await ca.gotMany(21, 'message:delivered');
    assert.equal(ca.all('message:delivered').length, 21);
  },

  async 'on polling message and barrier come in one body, and its pong counts'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const p = await Poller.join(c, b);
    const { messageId } = await ca.send(match, 'x');
    let body;
    do {
      p.get();
      body = await p.answer();
    } while (!body.includes('message:new'));
    assert.match(body, /42\["message:new".*\x1e2$/s);
    await settled(ca);
    assert.deepEqual(ca.all('message:delivered'), []);
    await p.post('3');
    await ca.got('message:delivered', (d) => d.messageId === messageId);
  },

  async 'a poll that broke off confirms nothing'(c) {
    const { a, b, match } = await c.pair();
    const third = await c.user();
    await c.match(a, third);
    const ct = await c.connect(third);
    const ca = await c.connect(a);
    // There is nothing left that b would be told: an answered poll cannot break off.
    await ct.got('user:status', (s) => s.userId === a && s.online);
    const p = await Poller.join(c, b);
    for (let body = p.joined; !body.includes('session:ready'); body = await p.answer()) p.get();
    // What else it is told, a match's user:status, must not end the poll.
    p.socket.on('data', () => p.get());
    p.get();
    const gone = ca.got('user:status', (s) => s.userId === b && !s.online);
    p.close();
    const { messageId } = await ca.send(match, 'x');
    await gone;
    await c.pushed(b);
    assert.deepEqual(ca.all('message:delivered'), []);
    assert.deepEqual((await c.store.messages(match)).map((r) => [r.id, r.deliveredAt]), [[messageId, null]]);
  },
};

await suite({ chat: { delivery_timeout: '2s', offline_grace: '300ms' } }, tests);

// The server is taken away with SQL.
if (KIND === 'pg') {
  await suite({ chat: { delivery_timeout: '5m', offline_grace: '300ms' } }, {
    async 'confirmed when the store is back'(c) {
      const { a, b, match } = await c.pair();
      const [ca, cb] = [await c.connect(a), await c.rawJoin(b, { answerPings: false })];
      const away = await c.pair();
      const [cc, cd] = [await c.connect(away.a), await c.rawJoin(away.b, { answerPings: false })];
      const one = await ca.send(match, 'by pong');
      const two = await cc.send(away.match, 'by the app');
      await cb.event('message:new');
      await cd.event('message:new');
      await c.admin.query(`ALTER DATABASE ${c.database} ALLOW_CONNECTIONS false`);
      try {
        const { rows: [{ pid }] } = await c.pg.query('SELECT pg_backend_pid() AS pid');
        await c.admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> $2', [c.database, pid]);
        await eventually(async () => total(await c.status(), 'store_up') === 0, 'no store');
        cb.send('3');
        const answer = received(cd, two.messageId);
        await eventually(async () => total(await c.status(), 'confirms_waiting') === 2, 'two wait');
        cb.close();
        assert.deepEqual(ca.all('message:delivered'), []);
        await c.admin.query(`ALTER DATABASE ${c.database} ALLOW_CONNECTIONS true`);
        assert.deepEqual(await answer, { ok: true });
      } finally {
        await c.admin.query(`ALTER DATABASE ${c.database} ALLOW_CONNECTIONS true`);
      }
      await ca.got('message:delivered', (d) => d.messageId === one.messageId);
      await cc.got('message:delivered', (d) => d.messageId === two.messageId);
      await eventually(async () => total(await c.status(), 'confirms_waiting') === 0, 'none waits');
      await c.ready();
      assert.deepEqual(await c.pushes(b), []);
      for (const m of [match, away.match]) assert.deepEqual(await c.store.owes(m), [0]);
    },
  });
}
