// Requests that arrive on another worker than their session's: handed over,
// whatever connection brings them.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { WebSocket } from 'ws';
import { instanceOf } from './lib/client.mjs';
import { isGone, suite } from './lib/cluster.mjs';
import { DEADLINE, eventually, until } from './lib/wait.mjs';
import { Wire } from './lib/wire.mjs';

const POLLING = '/socket.io/?EIO=4&transport=polling';
const UNKNOWN = '{"code":1,"message":"Session ID unknown"}';
const totals = async (c) => (await c.status()).totals;

// A session id as it could be, of an instance.
function forged(instance) {
  const head = Buffer.alloc(3);
  head.writeUIntBE(instance, 0, 3);
  return head.toString('base64url') + randomBytes(12).toString('base64url');
}

// Polling by hand; each request on the connection it is given.
class Session {
  constructor(sid) { this.target = `${POLLING}&sid=${sid}`; this.sid = sid; this.instance = instanceOf(sid); }

  static async open(wire) {
    const answer = await wire.ask('GET', POLLING);
    assert.equal(answer.status, 200, answer.body);
    return new Session(JSON.parse(answer.body.slice(1)).sid);
  }

  get() { return Wire.request('GET', this.target); }
  post(body, fields) { return Wire.request('POST', this.target, { body, fields }); }

  async end(wire) {
    await wire.write(this.post('1'));
    return wire.answer();
  }
}

// One session on each worker, joined as its own user; [{ session, user }].
async function everywhere(c, wire) {
  const found = new Map();
  await eventually(async (note) => {
    const fresh = await Wire.open(c.url);
    const s = await Session.open(fresh);
    if (found.has(s.instance)) await s.end(fresh);
    else found.set(s.instance, { session: s, user: await c.user() });
    fresh.close();
    note([...found.keys()]);
    return found.size === 4;
  }, 'a session on each worker', 20000);
  for (const { session, user } of found.values()) {
    await wire.write(session.post(`40${JSON.stringify({ token: c.token(user) })}`));
    assert.equal((await wire.answer()).body, 'ok');
    await wire.write(session.get());
    assert.match((await wire.answer()).body, /^40\{"sid"/);
  }
  return [...found.values()];
}

// Pairs of stock clients that talk: everything arrives once and in order.
async function talk(c, pairs, io, messages = 10) {
  const made = [];
  for (let i = 0; i < pairs; i++) made.push(await c.pair());
  const open = (user) => c.connect(user, { io: { autoConnect: false, reconnection: false, ...io, auth: { token: c.token(user) } } });
  // all at once: each handshake on a connection of its own, so on any worker
  const all = await Promise.all(made.map(async ({ a, b, match }) => ({ match, clients: await Promise.all([open(a), open(b)]) })));
  await Promise.all(all.flatMap(({ match, clients: [a, b] }) => [[a, b], [b, a]].map(async ([from, to]) => {
    for (let i = 0; i < messages; i++) await from.send(match, `${from.user} ${i}`);
    const got = await to.gotMany(messages, 'message:new', (m) => m.content.startsWith(from.user), 4 * DEADLINE);
    assert.deepEqual(got.map((m) => m.content), Array.from({ length: messages }, (_, i) => `${from.user} ${i}`));
  })));
  return all.flatMap(({ clients }) => clients);
}

// Every worker's gauges are back where they were: nothing is counted twice, or
// leaks, on either side of a hand-over.
async function allGone(c) {
  c.closeClients();
  await eventually(async (note) => {
    const { slots } = await c.status();
    note(slots.map((s) => [s.stats.connections, s.stats.sessions, s.stats.sessions_polling]));
    return slots.every((s) => s.stats.connections === 0 && s.stats.sessions === 0 && s.stats.sessions_polling === 0);
  }, 'no connection and no session left', 2 * DEADLINE);
}

// Closes the sessions and wires that a test opened, and counts what they left.
async function tidy(c, all, ...wires) {
  for (const w of wires) w.close();
  for (const { session } of all) {
    const w = await Wire.open(c.url);
    await session.end(w);
    w.close();
  }
  await allGone(c);
}

await suite({ server: { workers: 4 } }, {
  async 'polling only, a new connection for every request'(c) {
    const before = await totals(c);
    const clients = await talk(c, 12, { transports: ['polling'], agent: false });
    for (const client of clients) assert.equal(client.manager.engine.transport.name, 'polling');
    const after = await totals(c);
    assert.ok(after.handed_over - before.handed_over > 200, 'most requests reach another worker');
    assert.equal(after.handover_failed, before.handover_failed);
    assert.equal(after.sessions_polling, 24);
    await allGone(c);
    const end = await totals(c);
    assert.equal(end.handed_over, end.handed_in);
  },

  async 'polling only, connections shared by many clients'(c) {
    const agent = new Agent({ keepAlive: true, maxSockets: 100 });
    const before = await totals(c);
    await talk(c, 12, { transports: ['polling'], agent });
    const after = await totals(c);
    assert.ok(after.handed_over - before.handed_over > 100);
    assert.equal(after.handover_failed, before.handover_failed);
    c.closeClients();
    // the stock client would repeat a request that is cut
    await eventually(() => Object.keys(agent.sockets).length === 0, 'all requests answered');
    agent.destroy();
    await allGone(c);
  },

  async 'upgrades that reach another worker'(c) {
    const before = await totals(c);
    const clients = await talk(c, 20, { transports: ['polling', 'websocket'] });
    await eventually(() => clients.every((x) => x.manager.engine.transport.name === 'websocket'), 'all upgraded');
    // the client is there before the server has heard of it
    const after = await eventually(async (note) => {
      const now = await totals(c);
      note(now.upgrades - before.upgrades);
      return now.upgrades - before.upgrades === 40 && now;
    }, '40 upgrades');
    assert.ok(after.handed_over > before.handed_over);
    assert.equal(after.handover_failed, before.handover_failed);
    await allGone(c);
  },

  async 'one connection carries requests of sessions on all workers'(c) {
    const wire = await Wire.open(c.url);
    const all = await everywhere(c, wire);
    for (let round = 0; round < 10; round++) {
      for (const { session } of all) {
        await wire.write(session.post('42999["message:read",null]'.replace('999', round)));
        assert.equal((await wire.answer()).body, 'ok');
        await wire.write(session.get());
        assert.ok((await wire.answer()).body.includes(`43${round}[`));
      }
    }
    // answers that need no session come from wherever the connection is
    assert.equal((await wire.ask('GET', '/healthz')).body, 'ok');
    assert.equal((await wire.ask('GET', '/nowhere')).status, 404);
    await tidy(c, all, wire);
  },

  async 'sessions are opened by the worker that accepted the connection'(c) {
    const wire = await Wire.open(c.url);
    const home = await Session.open(wire);
    const all = await everywhere(c, wire);
    const opened = [];
    for (const { session } of [...all, ...all]) {
      // elsewhere meanwhile
      await wire.write(session.post('42["message:read",null]'));
      assert.equal((await wire.answer()).body, 'ok');
      opened.push({ session: await Session.open(wire) });
    }
    for (const { session } of opened) assert.equal(session.instance, home.instance);
    // and by any when that one is gone
    const away = all.find(({ session }) => session.instance !== home.instance).session;
    await wire.write(away.post('42["message:read",null]'));
    assert.equal((await wire.answer()).body, 'ok');
    const { pid } = await c.worker(home.instance);
    process.kill(pid, 'SIGKILL');
    await eventually(() => isGone(pid), 'dead');
    const orphan = await Session.open(wire);
    assert.equal(orphan.instance, away.instance);
    await c.ready();
    await tidy(c, [{ session: orphan }, ...all.filter(({ session }) => session.instance !== home.instance)], wire);
  },

  async 'pipelined, and the answers in order'(c) {
    const wire = await Wire.open(c.url);
    const all = await everywhere(c, wire);
    const order = Array.from({ length: 40 }, (_, i) => all[(i * 7 + (i >> 2)) % 4].session);
    await wire.write(order.map((s, i) => s.post(`42${i}["message:read",null]`)).join(''));
    for (let i = 0; i < order.length; i++) assert.deepEqual([i, (await wire.answer()).body], [i, 'ok']);
    await wire.write(all.map(({ session }) => session.get()).join(''));
    for (const { session } of all) {
      const acks = (await wire.answer()).body.split('\x1e').filter((p) => p.startsWith('43'));
      const asked = order.flatMap((s, i) => (s === session ? [i] : []));
      assert.deepEqual(acks.map((p) => Number(/^43(\d+)/.exec(p)[1])), asked);
    }
    await tidy(c, all, wire);
  },

  async 'a request that comes in pieces'(c) {
    const wire = await Wire.open(c.url);
    const all = await everywhere(c, wire);
    const dribble = async (text, sizes) => {
      for (let at = 0, i = 0; at < text.length; at += sizes[i++ % sizes.length]) {
        await wire.write(text.slice(at, at + sizes[i % sizes.length]));
        await new Promise((resolve) => { setImmediate(resolve); });
      }
    };
    const big = `42["x","${'y'.repeat(200000)}"]`;
    for (const { session } of [...all, ...all]) {
      // a byte at a time, head and body
      await dribble(session.post('421["message:read",null]'), [1]);
      assert.equal((await wire.answer()).body, 'ok');
      // the body behind the head, and on
      await dribble(session.post(big), [180, 5000, 1, 60000]);
      assert.equal((await wire.answer()).body, 'ok');
      // chunked
      const packet = '422["message:read",null]';
      const chunks = `${packet.slice(0, 5).length.toString(16)}\r\n${packet.slice(0, 5)}\r\n${(packet.length - 5).toString(16)}\r\n${packet.slice(5)}\r\n0\r\n\r\n`;
      await dribble(Wire.request('POST', session.target, { fields: { 'Transfer-Encoding': 'chunked' } }) + chunks, [7]);
      assert.equal((await wire.answer()).body, 'ok');
      await wire.write(session.get());
      assert.match((await wire.answer()).body, /431\[.*\x1e.*432\[/s);
    }
    await tidy(c, all, wire);
  },

  async 'Expect: 100-continue is answered by the worker that takes the body'(c) {
    const wire = await Wire.open(c.url);
    const all = await everywhere(c, wire);
    for (const { session } of [...all, ...all]) {
      const body = '421["message:read",null]';
      await wire.write(session.post('', { Expect: '100-continue', 'Content-Length': body.length }));
      assert.equal((await wire.answer()).status, 100);
      await wire.write(body);
      assert.equal((await wire.answer()).body, 'ok');
    }
    await tidy(c, all, wire);
  },

  async 'a poll that waits, handed over, is answered when there is something'(c) {
    const wires = await Promise.all(Array.from({ length: 12 }, () => Wire.open(c.url)));
    const all = await everywhere(c, wires[0]);
    // each session polls on some connection, and is posted to on others
    await Promise.all(all.map(async ({ session }, i) => {
      await wires[i].write(session.get());
      await wires[4 + i].write(session.post('421["message:read",null]'));
      assert.equal((await wires[4 + i].answer()).body, 'ok');
      assert.match((await wires[i].answer()).body, /431\[/);
    }));
    await tidy(c, all, ...wires);
  },

  async 'a WebSocket upgrade behind polls on one connection'(c) {
    const wire = await Wire.open(c.url);
    const all = await everywhere(c, wire);
    const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
    const wires = [wire];
    for (const { session } of all) {
      const w = await Wire.open(c.url);
      wires.push(w);
      const before = all.find((x) => x.session !== session).session;
      await w.write(before.post('41') + Wire.request('GET', `/socket.io/?EIO=4&transport=websocket&sid=${session.sid}`, { fields: upgrade }));
      assert.equal((await w.answer()).body, 'ok');
      assert.equal((await w.answer()).status, 101);
      // "2probe", masked with zeros
      await w.write(Buffer.concat([Buffer.from([0x81, 0x86, 0, 0, 0, 0]), Buffer.from('2probe')]));
      await eventually(() => w.rest.toString('latin1').includes('3probe'), '3probe');
    }
    await tidy(c, all, ...wires);
  },

  async 'forged ids: unknown, and no request goes round between workers'(c) {
    const instances = await c.instances();
    const wire = await Wire.open(c.url);
    const before = await totals(c);
    const asked = { live: 0, dead: 0 };
    for (let i = 0; i < 25; i++) {
      for (const [kind, list] of [['live', instances], ['dead', [0, 0xffffff, Math.max(...instances) + 1000 + i]]]) {
        for (const instance of list) {
          asked[kind]++;
          await wire.write(Wire.request(i % 2 ? 'POST' : 'GET', `${POLLING}&sid=${forged(instance)}`, { body: i % 2 ? '41' : '' }));
          const answer = await wire.answer();
          assert.deepEqual([answer.status, answer.body], [400, UNKNOWN], String(instance));
        }
      }
    }
    const after = await totals(c);
    assert.ok(after.handed_over - before.handed_over <= asked.live, 'at most once each');
    assert.equal(after.handed_in - before.handed_in, after.handed_over - before.handed_over);
    assert.ok(after.handover_failed - before.handover_failed <= asked.dead);
    assert.ok(after.handover_failed - before.handover_failed >= asked.dead - 25, '0 is nobody, and not asked for');
    // pipelined, hundreds of them: the stack is not the limit
    const many = Array.from({ length: 500 }, (_, i) => Wire.request('GET', `${POLLING}&sid=${forged(i % 3 ? 0xffff00 + i % 50 : instances[i % 4])}`));
    await wire.write(many.join(''));
    for (let i = 0; i < many.length; i++) assert.equal((await wire.answer()).body, UNKNOWN);
    // an upgrade, of which clients see the text
    const ws = new WebSocket(`${c.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&sid=${forged(0xfffffe)}`);
    const [, answer] = await until(ws, 'unexpected-response');
    assert.equal(answer.statusCode, 400);
    ws.on('error', () => {});
    ws.terminate();
    await tidy(c, [], wire);
  },

  async 'a worker that was killed: its sessions are unknown'(c) {
    const wire = await Wire.open(c.url);
    const all = await everywhere(c, wire);
    // the connection is at the last one's worker now: kill another
    const [{ session }, { session: alive }] = [all[0], all[3]];
    const { pid } = await c.worker(session.instance);
    process.kill(pid, 'SIGKILL');
    await eventually(() => isGone(pid), 'dead');
    await wire.write(session.get());
    const answer = await wire.answer();
    assert.deepEqual([answer.status, answer.body], [400, UNKNOWN]);	// 503: it was waited for
    // the connection goes on, to whoever lives
    await wire.write(alive.post('421["message:read",null]') + alive.get() + session.post('41'));
    assert.equal((await wire.answer()).body, 'ok');
    assert.match((await wire.answer()).body, /431\[/);
    assert.equal((await wire.answer()).body, UNKNOWN);
    await c.ready();
    await tidy(c, all, wire);
  },

  async 'a worker that stands still: 503 within seconds, and nothing is lost behind it'(c) {
    const wires = await Promise.all(Array.from({ length: 40 }, () => Wire.open(c.url)));
    const all = await everywhere(c, wires[0]);
    const [{ session }, { session: other }] = all;
    const { pid } = await c.worker(session.instance);
    // all of them at one other worker, so that none is in the stopped one's hands
    for (const w of wires) {
      await w.write(other.post('42["message:read",null]'));
      assert.equal((await w.answer()).body, 'ok');
    }
    process.kill(pid, 'SIGSTOP');
    try {
      for (const w of wires) await w.write(session.post('42["message:read",null]') + Wire.request('GET', '/healthz'));
      // its queue takes a few; the others are told, and stay usable
      const told = await eventually(() => {
        const t = wires.filter((w) => w.rest.toString('latin1').includes('HTTP/1.1 503'));
        return t.length >= 20 && t;
      }, 'twenty told', 2 * DEADLINE);
      for (const w of told) {
        assert.equal((await w.answer()).status, 503);
        assert.equal((await w.answer()).body, 'ok');
      }
      process.kill(pid, 'SIGCONT');
      // some of these were told between the look and the signal
      const taken = [];
      for (const w of wires.filter((x) => !told.includes(x))) {
        const first = await w.answer();
        if (first.status !== 503) taken.push(first.body);
        assert.equal((await w.answer()).body, 'ok');
      }
      assert.ok(taken.length > 0 && taken.every((body) => body === 'ok'), `${taken}`);
    } finally {
      try { process.kill(pid, 'SIGCONT'); } catch { /* replaced meanwhile */ }
    }
    await tidy(c, all, ...wires);
  },
});
