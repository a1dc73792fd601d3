// What a user was not sent while he was away comes when he does: all of it,
// once, in order, and before what is live.
import assert from 'node:assert/strict';
import io3 from 'socket.io-client-3';
import { suite } from './lib/cluster.mjs';
import { KIND } from './lib/store.mjs';
import { eventually } from './lib/wait.mjs';

// FerretDB reads a page in half a second, and everything for it.
const [N, MORE, BURST, BIG] = KIND === 'pg' ? [1000, 500, 100, 200] : [250, 20, 10, 60];
const numbers = (n, from = 0) => Array.from({ length: n }, (_, i) => from + i);
const contents = (client) => client.all('message:new').map((m) => Number(m.content));
const newest = { transports: ['polling', 'websocket'] };

// Sends in bursts, without waiting for each.
async function sendAll(client, match, list) {
  await Promise.all(list.map((i) => client.send(match, String(i), { tempId: i })));
}

async function caughtUp(c) {
  return eventually(async (note) => {
    const left = (await c.status()).slots.reduce((n, s) => n + s.stats.catching_up, 0);
    note(left);
    return left === 0;
  }, 'nobody catching up');
}

async function everythingIsDelivered(c, match) {
  await eventually(async (note) => {
    const left = (await c.store.messages(match)).filter((r) => r.deliveredAt === null).length;
    note(left);
    return left === 0;
  }, 'every row delivered');
}

function thousand(io, Manager) {
  return async (c) => {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    await sendAll(ca, match, numbers(N));
    const cb = await c.connect(b, { io, Manager });
    await cb.gotMany(N, 'message:new', undefined, 30000);
    await ca.gotMany(N, 'message:delivered', undefined, 30000);
    await caughtUp(c);
    assert.deepEqual(contents(cb), numbers(N));
    await everythingIsDelivered(c, match);
    // and nothing of it again
    cb.close();
    const again = await c.connect(b);
    const last = await ca.send(match, 'last');
    await again.got('message:new', (m) => m.id === last.messageId);
    assert.equal(again.all('message:new').length, 1);
  };
}

await suite({ limits: { user_connections: 0 } }, {
  'a thousand while away, by WebSocket': thousand({}),
  'a thousand while away, by long-polling': thousand({ transports: ['polling'] }),
  'a thousand while away, upgraded on the way': thousand(newest),
  'a thousand while away, with client 3.0.0': thousand({}, io3.Manager),

  async 'the first event names the user and the time, and seeds the offset'(c) {
    const before = Date.now();
    const client = await c.connect((await c.pair()).a);
    const ready = await client.got('session:ready');
    assert.equal(ready.userId, client.user);
    const time = Date.parse(ready.serverTime);
    assert.ok(time >= before - 2000 && time <= Date.now() + 2000, ready.serverTime);
    assert.equal(client.events[0].name, 'session:ready');
    assert.match(client.events[0].offset, /^1\.[\w-]+$/);
  },

  async 'both devices get all of it; confirmed by one, a third gets nothing'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a);
    await sendAll(ca, match, numbers(50));
    // the first cannot confirm: it does not answer
    const mute = c.raw({ answerPings: false });
    await mute.join({ token: c.token(b) });
    await mute.frame((f) => f.startsWith('42["message:new"') && f.includes('"content":"49"'));
    const device = await c.connect(b, { on: two });
    await device.gotMany(50, 'message:new');
    assert.deepEqual(contents(device), numbers(50));
    await everythingIsDelivered(c, match);
    const third = await c.connect(b, { on: one });
    await caughtUp(c);
    await third.roundTrip();
    assert.equal(third.all('message:new').length, 0);
  },

  async 'what flows live meanwhile comes behind it: no gap, no repeat, in order'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a, { on: one });
    await sendAll(ca, match, numbers(N));
    let sent = N;
    let on = true;
    const flow = (async () => {
      while (on) {
        await sendAll(ca, match, numbers(5, sent));
        sent += 5;
      }
    })();
    const devices = [];
    const live = [];
    for (const [i, instance] of [one, two, one, two].entries()) {
      devices.push(await c.connect(b, { on: instance, io: i % 2 ? newest : {} }));
      live.push(sent + 5);
    }
    await devices[0].got('message:new', (m) => Number(m.content) >= N + MORE, 60000);
    on = false;
    await flow;
    for (const [i, device] of devices.entries()) {
      await device.got('message:new', (m) => m.content === String(sent - 1), 30000);
      const got = contents(device);
      assert.deepEqual(got.filter((n) => n >= live[i]), numbers(sent - live[i], live[i]));
      assert.ok(got.every((n, k) => k === 0 || got[k - 1] < n), 'in order, each once');
    }
    // of what is old each is given what no other has confirmed before it comes to it
    assert.deepEqual([...new Set(devices.flatMap(contents))].sort((x, y) => x - y), numbers(sent));
  },

  async 'a match that ended is not caught up'(c) {
    const { a, b, match } = await c.pair();
    const other = await c.user('Cat');
    const second = await c.match(b, other);
    const [ca, cc] = [await c.connect(a), await c.connect(other)];
    await ca.send(match, '1');
    await cc.send(second, '2');
    await ca.send(match, '3');
    await c.unmatch(match);
    for (const on of await c.instances()) {	// once it is known there
      const sender = await c.connect(a, { on });
      await eventually(async () => (await sender.ask('message:send', { matchId: match, content: '4', tempId: 4 })).code === 'INVALID_MATCH', 'the unmatch');
    }
    const cb = await c.connect(b);
    await cb.got('message:new', (m) => m.content === '2');
    await caughtUp(c);
    await cb.roundTrip();
    assert.deepEqual(contents(cb).filter((n) => n !== 4), [2]);
  },

  async 'one who does not read is not thrown out by what he missed'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const big = '\u0001'.repeat(4000);	// 24 KiB as JSON
    for (let i = 0; i < BIG; i += 20) {
      await Promise.all(numbers(20).map(() => ca.send(match, big)));
    }
    const slow = c.raw({ answerPings: false });
    await slow.join({ token: c.token(b) });
    slow.ws.pause();
    const closed = async () => (await c.status()).slots.reduce((n, s) => n + s.stats.closed_outbox, 0);
    const before = await closed();
    await ca.send(match, 'live');
    await ca.roundTrip();
    slow.ws.resume();
    // one page; the next only when it has answered
    await slow.frame((f) => f === '2', 30000);
    assert.ok(slow.frames.filter((f) => f.startsWith('42["message:new"')).length < BIG / 2);
    slow.send('3');
    slow.on('frame', (f) => { if (f === '2') slow.send('3'); });
    await slow.frame((f) => f.startsWith('42["message:new"') && f.includes('"content":"live"'), 30000);
    assert.equal(slow.frames.filter((f) => f.startsWith('42["message:new"')).length, BIG + 1);
    assert.equal(await closed(), before);
  },

  async 'envelopes lost with the subscription are made good'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a, { on: one });
    const cb = await c.connect(b, { on: two });
    let sent = 0;
    for (let round = 0; round < 5; round++) {
      const more = sendAll(ca, match, numbers(BURST, sent));
      sent += BURST;
      await c.redis.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
      await more;
      await cb.gotMany(sent, 'message:new', undefined, 30000);
    }
    assert.deepEqual(contents(cb), numbers(sent));
    await c.ready();
  },

  async 'a Redis that lost everything is filled again, and what was missed comes'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a, { on: one });
    const cb = await c.connect(b, { on: two });
    await ca.send(match, '0');
    await cb.got('message:new');
    await c.redis.flushDb();
    await sendAll(ca, match, numbers(20, 1));
    await cb.gotMany(21, 'message:new', undefined, 30000);
    assert.deepEqual(contents(cb), numbers(21));
    await ca.gotMany(21, 'message:delivered', undefined, 30000);
  },
});
