// Through nginx, as most will run it: 200 stock clients at once on four workers,
// by every transport, the newest 4.x and the oldest 3.x side by side. 10,000
// messages each time: none lost, none twice, none out of order.
import assert from 'node:assert/strict';
import { io as io4 } from 'socket.io-client';
import io3 from 'socket.io-client-3';
import { suite } from './lib/cluster.mjs';
import { KIND } from './lib/store.mjs';
import { Nginx } from './lib/nginx.mjs';
import { eventually, withDeadline } from './lib/wait.mjs';

// FerretDB reads the whole collection for what a connect asks.
const PAIRS = KIND === 'pg' ? 100 : 15;
// Fewer where the server or the store is many times slower than in earnest
// (sanitizers; FerretDB): those runs look for other things.
const EACH = KIND === 'pg' && !process.env.PW_TEST_SLOW?.match(/^[2-9]/) ? 50 : 5;
const TRANSPORTS = { default: undefined, polling: ['polling'], websocket: ['websocket'] };

// The messages of one end of a pair, from its first moment on: it begins to send
// as soon as it is connected, so that an upgrade happens among them.
class End {
  came = [];
  sent = [];
  errors = [];

  constructor(io, url, token, user, matchId, transports) {
    Object.assign(this, { user, matchId });
    this.socket = io(url, {
      auth: { token }, forceNew: true, reconnection: false, ...(transports && { transports }),
    });
    // The last ones of the round before come again if the client left before
    // its pong: they are of another match.
    this.socket.on('message:new', (m) => { if (m.matchId === matchId) this.#note(this.came, m); });
    this.socket.on('message:sent', (m) => this.#note(this.sent, m));
    for (const name of ['error', 'connect_error', 'disconnect']) {
      this.socket.on(name, (e) => { this.errors.push(`${name}: ${e.message ?? e.code ?? e}`); this.#settle(); });
    }
    this.done = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    this.connected = new Promise((resolve) => { this.socket.once('connect', resolve); });
  }

  #note(list, m) { list.push(m); this.#settle(); }

  #settle() {
    if (this.errors.length > 0) this.reject(new Error(`${this.user}: ${this.errors[0]}`));
    else if (this.came.length >= EACH && this.sent.length >= EACH) this.resolve();
  }

  // A few at once, so that both ways are busy all the time.
  async sendAll() {
    for (let i = 0; i < EACH; i++) {
      this.socket.emit('message:send', { matchId: this.matchId, content: `${this.user} ${i}`, tempId: i });
      if (i % 5 === 4) await new Promise((resolve) => { setImmediate(resolve); });
    }
  }

  get transport() { return this.socket.io.engine?.transport?.name; }

  check(other) {
    const all = [...Array(EACH).keys()];
    assert.deepEqual(this.errors, []);
    assert.deepEqual(this.came.map((m) => m.content), all.map((i) => `${other.user} ${i}`), 'message:new, each once, in order');
    assert.deepEqual(this.sent.map((m) => m.tempId), all, 'message:sent, each once, in order');
    assert.deepEqual(this.came.map((m) => m.id), other.sent.map((m) => m.messageId));
  }
}

async function nobody(c) {
  await eventually(async (note) => {
    const { sessions } = (await c.status()).totals;
    note(sessions);
    return sessions === 0;
  }, 'all sessions ended');
}

async function everybodyTalks(c, url, transports) {
  const ends = [];
  for (const [i, { a, b, match }] of c.pairs.entries()) {
    // Of each pair one is old and one new; which sends first changes.
    const [ioA, ioB] = i % 2 ? [io3, io4] : [io4, io3];
    const ea = new End(ioA, url, c.token(a), a, match, transports);
    const eb = new End(ioB, url, c.token(b), b, match, transports);
    ends.push([ea, eb], [eb, ea]);
  }
  const everyone = ends.map(([e]) => e);
  try {
    // Both ends must be there: what is sent before is the push's business.
    for (let i = 0; i < everyone.length; i += 2) {
      const pair = everyone.slice(i, i + 2);
      Promise.all(pair.map((e) => e.connected)).then(() => pair.forEach((e) => e.sendAll()));
    }
    await withDeadline(Promise.all(everyone.map((e) => e.done)), 90000, () =>
      `${everyone.filter((e) => e.came.length < EACH).length} of ${everyone.length} miss messages, `
      + `${everyone.filter((e) => e.sent.length < EACH).length} message:sent`);
    for (const [e, other] of ends) e.check(other);
    if (!transports) {
      await eventually((note) => {
        const there = everyone.filter((e) => e.transport === 'websocket').length;
        note(there);
        return there === everyone.length;
      }, 'all upgraded');
    } else {
      assert.ok(everyone.every((e) => e.transport === transports[0]));
    }
    // Nothing comes late: each has what all have sent it.
    for (const e of everyone) assert.equal(e.came.length, EACH);
  } finally {
    for (const e of everyone) e.socket.close();
  }
  // as long as there is a way for what they say when they leave
  await nobody(c);
}

async function stored(c) {
  let n = 0;
  for (const { match } of c.pairs) n += (await c.store.messages(match)).length;
  return n;
}

const handedOver = async (c) => (await c.status()).totals.handed_over;

// The farewells of the round before are counted, too, and belong to that.
async function quiet(c) {
  await eventually(async (note) => {
    const { connections, sessions } = (await c.status()).totals;
    note({ connections, sessions });
    return connections === 0 && sessions === 0;
  }, 'nobody there');
}

const tests = {
  async 'the pairs'(c) {
    c.pairs = [];
    for (let i = 0; i < PAIRS; i++) c.pairs.push(await c.pair());
  },
};

for (const keepalive of [0, 64]) {
  for (const [name, transports] of Object.entries(TRANSPORTS)) {
    tests[`${name} transports, ${keepalive ? 'kept' : 'new'} connections to the workers`] = async (c) => {
      await quiet(c);
      const before = await handedOver(c);
      const nginx = await Nginx.start(c.url, { keepalive });
      try {
        // tempIds of an earlier round name its messages
        for (const p of c.pairs) p.match = await c.match(p.a, p.b);
        await everybodyTalks(c, nginx.url, transports);
        assert.equal(await stored(c), 2 * PAIRS * EACH, 'each once in the store');
        // A session's requests come to whichever worker: with this many, to
        // others than its own as well.
        const n = await handedOver(c) - before;
        assert.equal(n > 0, name !== 'websocket', `${n} handed over`);
      } catch (err) {
        err.message += `\nnginx: ${nginx.log.slice(-1000)}`;
        throw err;
      } finally {
        await nginx.stop();
      }
    };
  }
}

await suite({
  server: { workers: 4 },
  limits: { connect_rate: 0, message_rate: 0 },
}, tests);
