// Connection state recovery as the stock client does it, from a durable offset:
// after any time within the window, on any worker, after a restart of everything.
import assert from 'node:assert/strict';
import io3 from 'socket.io-client-3';
import { suite } from './lib/cluster.mjs';
import { eventually } from './lib/wait.mjs';

const numbers = (n, from = 0) => Array.from({ length: n }, (_, i) => from + i);
const contents = (client) => client.all('message:new').map((m) => Number(m.content));

async function sendAll(client, match, list) {
  return Promise.all(list.map((i) => client.send(match, String(i), { tempId: i })));
}

async function total(c, name) {
  return (await c.status()).slots.reduce((n, s) => n + s.stats[name], 0);
}

async function settled(c) {
  await eventually(async (note) => {
    const left = await total(c, 'catching_up');
    note(left);
    return left === 0;
  }, 'nobody catching up');
}

function onAnotherWorker(io) {
  return async (c) => {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a, { on: one });
    const cb = await c.connect(b, { on: one, io });
    await sendAll(ca, match, numbers(10));
    await cb.gotMany(10, 'message:new');
    const { id } = cb.socket;
    await cb.leave();
    await sendAll(ca, match, numbers(300, 10));
    assert.equal(await cb.comeBack({ on: two }), true);
    assert.equal(cb.socket.id, id, 'the id it had');
    await cb.gotMany(310, 'message:new', undefined, 20000);
    await sendAll(ca, match, numbers(10, 310));
    await cb.gotMany(320, 'message:new');
    assert.deepEqual(contents(cb), numbers(320), 'each once, in order');
    // and at once again, with nothing new
    await cb.leave();
    assert.equal(await cb.comeBack({ on: one }), true);
    await settled(c);
    await cb.roundTrip();
    assert.deepEqual(contents(cb), numbers(320));
    assert.equal((await ca.gotMany(320, 'message:delivered')).length, 320);
  };
}

// A frame's event has the offset as its last argument; everything of `auth` is
// as a stock client would bring it.
async function rawBack(c, user, auth) {
  const raw = c.raw();
  await raw.join({ token: c.token(user), ...auth });
  return { raw, answer: JSON.parse(raw.frames.find((f) => f.startsWith('40{')).slice(2)) };
}

await suite({}, {
  'on another worker, by WebSocket': onAnotherWorker({}),
  'on another worker, by long-polling': onAnotherWorker({ transports: ['polling'] }),
  'on another worker, upgraded': onAnotherWorker({ transports: ['polling', 'websocket'] }),

  async 'own messages of another device, and receipts'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const phone = await c.connect(a, { on: one });
    const tablet = await c.connect(a, { on: two });
    const cb = await c.connect(b);
    const first = await phone.send(match, 'from the phone', { tempId: 'p' });
    await phone.got('message:delivered');
    await tablet.got('message:new');
    await phone.leave();
    const own = await tablet.send(match, 'from the tablet', { tempId: 't' });
    await tablet.got('message:delivered', (d) => d.messageId === own.messageId);
    await cb.ask('message:read', { matchId: match, messageIds: [first.messageId, own.messageId] });
    const read = await tablet.got('message:read');
    assert.equal(await phone.comeBack({ on: two }), true);
    const copy = await phone.got('message:new');
    assert.equal(copy.id, own.messageId);
    assert.equal(copy.senderId, a);
    assert.equal(copy.tempId, 't');
    await phone.got('message:delivered', (d) => d.messageId === own.messageId);
    const again = await phone.got('message:read');
    for (const event of [read, again]) event.messageIds.sort();
    assert.deepEqual(again, read);
    await settled(c);
    await phone.roundTrip();
    assert.equal(phone.all('message:new').length, 1, 'not what it sent itself');
    assert.equal(phone.all('message:sent').length, 1);
  },

  async 'what it sent while it was catching up does not come back to it'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const cb = await c.connect(b);
    await cb.send(match, 'first');
    await cb.leave();
    await sendAll(ca, match, numbers(500));
    const back = cb.comeBack();
    const sent = await Promise.all([back, ...numbers(5).map((i) => cb.send(match, `own ${i}`))]);
    assert.equal(sent[0], true);
    await cb.gotMany(500, 'message:new', (m) => m.senderId === a, 20000);
    await settled(c);
    await cb.roundTrip();
    assert.deepEqual(cb.all('message:new').map((m) => m.content), numbers(500).map(String));
  },

  async 'after a restart of everything, and one by force'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const cb = await c.connect(b);
    await sendAll(ca, match, numbers(3));
    await cb.gotMany(3, 'message:new');
    await cb.leave();
    await sendAll(ca, match, numbers(3, 3));
    let n = 6;
    for (const signal of ['SIGTERM', 'SIGKILL']) {
      await c.restart(signal);
      assert.equal(await cb.comeBack({ url: c.url }), true);
      await cb.gotMany(n, 'message:new');
      await settled(c);
      const sender = await c.connect(a);
      await cb.leave();
      await sendAll(sender, match, numbers(3, n));
      n += 3;
    }
    assert.equal(await cb.comeBack({ url: c.url }), true);
    await cb.gotMany(n, 'message:new');
    await settled(c);
    assert.deepEqual(contents(cb), numbers(n));
  },

  async 'an offset that only the client had read of proves that it has the message'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const mute = c.raw({ answerPings: false });
    await mute.join({ token: c.token(b) });
    const { pid } = JSON.parse(mute.frames.find((f) => f.startsWith('40{')).slice(2));
    const { messageId } = await ca.send(match, 'read, never confirmed');
    const frame = await mute.frame((f) => f.startsWith('42["message:new"'));
    const offset = JSON.parse(frame.slice(2)).at(-1);
    mute.close();
    const { raw, answer } = await rawBack(c, b, { pid, offset });
    assert.equal(answer.pid, pid);
    await ca.got('message:delivered', (d) => d.messageId === messageId);
    assert.ok(!raw.frames.some((f) => f.startsWith('42["message:new"')), 'it has it');
  },

  async 'of no use: another user\'s, garbage, the future'(c) {
    const { a, b, match } = await c.pair();
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    await cb.send(match, 'x');
    await ca.got('message:new');
    const { offset } = ca.events.find((e) => e.name === 'message:new');
    const pid = ca.socket._pid;
    assert.equal(pid.length, 36);
    ca.close();
    const before = await total(c, 'not_recovered');
    const future = `1.${'9'.repeat(9)}`;
    for (const [user, auth] of [
      [b, { pid, offset }], [a, { pid, offset: 'x' }], [a, { pid, offset: `${offset}.` }], [a, { pid, offset: future }],
      [a, { pid: `${pid}x`, offset }], [a, { pid: `0${pid.slice(1)}`, offset: '1.' }], [a, { pid: pid.slice(16), offset }],
      [a, { pid, offset: '1.A' }],
    ]) {
      const { answer } = await rawBack(c, user, auth);
      assert.notEqual(answer.pid, pid, JSON.stringify(auth));
      assert.notEqual(answer.sid, pid.slice(16));
      assert.match(answer.pid, /^[0-9a-f]{16}[\w-]{20}$/);
    }
    assert.equal(await total(c, 'not_recovered'), before + 8);
    const { answer } = await rawBack(c, a, { pid, offset });
    assert.deepEqual(answer, { sid: pid.slice(16), pid });
  },

  async 'the offset does not grow with the matches'(c) {
    const b = await c.user('Bob');
    const cb = await c.connect(b);
    for (let i = 0; i < 40; i++) {
      const a = await c.user();
      const match = await c.match(a, b);
      const ca = await c.connect(a);
      await ca.send(match, String(i));
      ca.close();
    }
    await cb.gotMany(40, 'message:new');
    const lengths = cb.events.filter((e) => e.offset).map((e) => e.offset.length);
    assert.ok(Math.max(...lengths) < 280, `${Math.max(...lengths)} bytes`);
    await cb.leave();
    assert.equal(await cb.comeBack(), true);
    await settled(c);
    await cb.roundTrip();
    assert.equal(new Set(contents(cb)).size, 40);
    // those of streams that were left out come once more
    assert.ok(contents(cb).length <= 40 + 24);
  },

  async 'client 3.0.0 does not recover, and misses nothing'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const cb = await c.connect(b, { Manager: io3.Manager });
    await sendAll(ca, match, numbers(3));
    await cb.gotMany(3, 'message:new');
    await ca.gotMany(3, 'message:delivered');
    await cb.leave();
    await sendAll(ca, match, numbers(3, 3));
    assert.ok(!await cb.comeBack());
    await cb.gotMany(6, 'message:new');
    await settled(c);
    assert.deepEqual(contents(cb), numbers(6));
  },
});
