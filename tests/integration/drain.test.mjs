// A worker that drains or is restarted, while its clients go on: nobody is
// refused or reset, nothing is lost, and nobody seems to be away.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { isGone, suite } from './lib/cluster.mjs';
import { DEADLINE, eventually, standstill, withDeadline } from './lib/wait.mjs';
import { instanceOf } from './lib/client.mjs';
import { Wire } from './lib/wire.mjs';

const POLLING = '/socket.io/?EIO=4&transport=polling';
// Machines stand still for seconds: more than that.
const SPREAD = 8000;
const numbers = (n) => Array.from({ length: n }, (_, i) => i);
const contents = (client) => client.all('message:new').map((m) => Number(m.content));

// It ends by itself, and well.
async function gone(c, worker) {
  await eventually(() => isGone(worker.pid), `the end of ${worker.pid}`);
  const said = new RegExp(`instance=${worker.instance} pid=${worker.pid} status=0`);
  await eventually(() => said.test(readFileSync(c.log, 'utf8')), 'the master says so');
}

// The worker of that slot, and what its slot is told.
async function replace(c, how, slot = 0) {
  const old = (await c.status()).slots[slot];
  await c.ctl(how, String(slot));
  const fresh = (await c.status()).slots[slot];
  assert.notEqual(fresh.instance, old.instance);
  return { old, fresh };
}

async function chat(from, to, match, n, first = 0) {
  for (let i = first; i < first + n; i++) await from.send(match, String(i));
  await to.gotMany(first + n, 'message:new');
}

// Says which of its connections ended, and when.
function watch(client) {
  client.ends = [];
  client.socket.on('disconnect', (reason) => client.ends.push({ reason, at: Date.now() }));
}

// As an app does it: again under the same tempId until there is an answer.
async function sendSurely(client, matchId, i) {
  for (;;) {
    const answer = await client.socket.timeout(1000).emitWithAck('message:send', { matchId, content: String(i), tempId: `t${i}` }).catch(() => undefined);
    if (answer?.ok) return;
  }
}

const CHATTING = { websocket: { transports: ['websocket'] }, polling: { transports: ['polling'] } };

function goesOn(io) {
  return async (c) => {
    const { a, b, match } = await c.pair();
    const on = (await c.status()).slots[0].instance;
    const ca = await c.connect(a, { on, io });
    const cb = await c.connect(b, { on, io });
    watch(ca);
    watch(cb);
    await chat(ca, cb, match, 5);
    const { old, fresh } = await replace(c, 'drain');
    assert.equal(old.instance, on);
    await chat(ca, cb, match, 20, 5);
    assert.deepEqual(contents(cb), numbers(25), 'each once, in order');
    // whoever comes is not for the old one
    for (let i = 0; i < 8; i++) {
      const other = await c.connect(await c.user());
      assert.notEqual(other.instance, on);
      other.close();
    }
    assert.deepEqual([ca.ends, cb.ends], [[], []]);
    assert.ok(!isGone(old.pid));
    ca.close();
    await eventually(async () => (await c.status()).draining.some((d) => d.instance === on && d.stats.sessions === 1), 'one client left');
    cb.close();
    await gone(c, old);
    assert.ok((await c.status()).slots.some((s) => s.instance === fresh.instance));
  };
}

await suite({
  server: { drain_timeout: '30m', drain_spread: `${SPREAD}ms` },
  engine: { keepalive_timeout: '15s' },
  chat: { offline_grace: '1m' },
}, {
  'draining, its clients stay, by WebSocket': goesOn(CHATTING.websocket),
  'draining, its clients stay, by long-polling': goesOn(CHATTING.polling),

  async 'a session on polling that drains is still moved to a WebSocket'(c) {
    const { a, b, match } = await c.pair();
    const on = (await c.status()).slots[0].instance;
    const cb = await c.connect(b);
    const slow = await c.connect(a, { on, io: { transports: ['polling', 'websocket'], upgrade: false } });
    const { old } = await replace(c, 'drain');
    const sid = slow.manager.engine.id;
    const { WebSocket } = await import('ws');
    const ws = new WebSocket(`${c.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&sid=${sid}`);
    const probed = new Promise((resolve, reject) => {
      ws.once('message', (data) => resolve(String(data)));
      ws.once('error', reject);
    });
    ws.once('open', () => ws.send('2probe'));
    assert.equal(await withDeadline(probed, DEADLINE, 'the probe'), '3probe');
    ws.close();
    await chat(cb, slow, match, 3);
    slow.close();
    cb.close();
    await gone(c, old);
  },

  // A client's connections by hand: what is kept alive is served once more, and
  // said to be over; nothing is reset.
  async 'connections that were kept alive'(c) {
    const slot = (await c.status()).slots[0];
    const mine = async (wire) => {
      const answer = await wire.ask('GET', POLLING);
      assert.equal(answer.status, 200);
      return JSON.parse(answer.body.slice(1)).sid;
    };
    const wires = [];
    await eventually(async () => {
      const wire = await Wire.open(c.url);
      const sid = await mine(wire);
      if (instanceOf(sid) === slot.instance) wires.push({ wire, sid });
      else wire.close();
      return wires.length === 4;
    }, 'four connections to one worker');
    const [polls, posts, opens, looks] = wires;
    const user = await c.user();
    assert.equal((await posts.wire.ask('POST', `${POLLING}&sid=${polls.sid}`, { body: `40${JSON.stringify({ token: c.token(user) })}` })).body, 'ok');
    assert.match((await polls.wire.ask('GET', `${POLLING}&sid=${polls.sid}`)).body, /^40\{/);
    await polls.wire.write(Wire.request('GET', `${POLLING}&sid=${polls.sid}`));
    const { old } = await replace(c, 'drain');
    await eventually(async () => /draining grace_ms/.test(readFileSync(c.log, 'utf8').split(`worker[${old.instance}]`).slice(1).join()), 'it drains');
    for (const [wire, method, target, body] of [
      [opens.wire, 'GET', POLLING],
      [looks.wire, 'GET', '/healthz'],
      [posts.wire, 'POST', `${POLLING}&sid=${polls.sid}`, '42["message:read",null]'],
    ]) {
      const answer = await wire.ask(method, target, { body });
      assert.equal(answer.status, 200, target);
      assert.equal(answer.fields.connection, 'close', target);
      await wire.end();
      if (wire === opens.wire) wires.push({ sid: JSON.parse(answer.body.slice(1)).sid });
    }
    assert.equal(instanceOf(wires.at(-1).sid), old.instance, 'served where it was');
    // the answer that it waited for
    const answer = await polls.wire.answer();
    assert.match(answer.body, /^42\["error"/);
    assert.equal(answer.fields.connection, 'close');
    await polls.wire.end();
    // on another connection, by way of another worker, and it is kept
    const next = await Wire.open(c.url);
    for (let i = 0; i < 3; i++) {
      const ok = await next.ask('POST', `${POLLING}&sid=${polls.sid}`, { body: '42["message:read",null]' });
      assert.equal(ok.body, 'ok');
      assert.notEqual(ok.fields.connection, 'close');
      const got = await next.ask('GET', `${POLLING}&sid=${polls.sid}`);
      assert.match(got.body, /42\["error"/);
    }
    // a handshake on it is for a worker that stays
    wires.push({ sid: await mine(next) });
    assert.notEqual(instanceOf(wires.at(-1).sid), old.instance);
    next.close();
    for (const { sid } of wires) {
      const last = await Wire.open(c.url);
      await last.ask('POST', `${POLLING}&sid=${sid}`, { body: '1' });
      last.close();
    }
    await gone(c, old);
  },

  // Closed one after the other; all come back, with everything, unseen by their
  // matches.
  async 'restart: clients move, over the spread'(c) {
    const [{ instance: on }, { instance: other }] = (await c.status()).slots;
    const each = 24;
    const pairs = await Promise.all(numbers(each).map(async (i) => {
      const { a, b, match } = await c.pair();
      const stays = await c.connect(a, { on: other });
      const moves = await c.connect(b, { on, reconnect: true, io: i % 3 === 0 ? CHATTING.polling : CHATTING.websocket });
      watch(moves);
      return { stays, moves, match };
    }));
    let sending = true;
    let sent = 0;
    const talk = Promise.all(pairs.map(async (p) => {
      let i = 0;
      for (; sending || i < 10; i++) {
        await sendSurely(p.stays, p.match, i);
        await sendSurely(p.moves, p.match, i);
      }
      p.sent = i;
      sent += i;
    }));
    const still = standstill();
    const { old } = await replace(c, 'restart');
    assert.equal(old.instance, on);
    await eventually(() => pairs.every((p) => p.moves.ends.length === 1 && p.moves.connected), 'all have moved', SPREAD + DEADLINE);
    const lost = still.end();
    sending = false;
    await withDeadline(talk, 30000, 'the talk\'s end');
    // evenly, but for those whose time came while the machine stood still
    const ends = pairs.map((p) => p.moves.ends[0]).sort((x, y) => x.at - y.at);
    const from = ends[0].at - SPREAD / each;
    const half = ends.filter((e) => e.at < from + SPREAD / 2).length;
    const held = each * lost / SPREAD;
    const when = `closed after ${ends.map((e) => e.at - ends[0].at)} ms, ${lost.toFixed(0)} lost`;
    assert.ok(half >= each / 4 - held && half <= 3 * each / 4 + held, `${half} of ${each} in the first half: ${when}`);
    assert.ok(ends.at(-1).at - ends[0].at >= SPREAD / 4, when);
    assert.ok(ends.at(-1).at - ends[0].at <= SPREAD + 1500 + lost, when);
    for (const p of pairs) {
      assert.notEqual(p.moves.instance, on);
      for (const client of [p.stays, p.moves]) {
        await client.gotMany(p.sent, 'message:new', undefined, 20000);
        assert.deepEqual(contents(client), numbers(p.sent), 'each once, in order');
      }
      assert.deepEqual(p.stays.all('user:status', (s) => !s.online), []);
      assert.equal(p.moves.ends.length, 1);
    }
    await gone(c, old);
    assert.ok(sent >= 10 * each);
  },
});
