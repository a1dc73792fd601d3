// A crowd of pairs who chat, each with the stock client, as long as the server is
// worked on. What may not happen to them is noted as it happens.
import { randomUUID } from 'node:crypto';
import { instanceOf } from '../../integration/lib/client.mjs';
import { eventually } from '../../integration/lib/wait.mjs';
import { now, sign } from '../../integration/lib/token.mjs';
import { Device } from '../../faults/lib/device.mjs';
import { Ledger } from '../../faults/lib/ledger.mjs';
import { Sender } from '../../faults/lib/load.mjs';

// Of ten clients, the way they connect.
const TRANSPORTS = [['polling'], ['polling', 'websocket'], ...Array(8).fill(['websocket'])];
// Handshakes under way at once: what Node.js can do beside the rest.
const JOINING = 40;

export class Fleet {
  ledger = new Ledger();
  senders = [];
  users = [];
  // Of lost connections: { name, instance, at, reason }
  lost = [];
  refused = [];
  // Instances whose clients may be let go, and since when.
  #released = new Map();

  // interval: ms between a sender's messages.
  static async join(cluster, pairs, interval) {
    const f = Object.assign(new Fleet(), { cluster, interval });
    await f.#populate(pairs);
    const waiting = [...f.users];
    await Promise.all(Array.from({ length: JOINING }, async () => {
      for (let user = waiting.pop(); user; user = waiting.pop()) await f.#open(user);
    }));
    return f;
  }

  async #populate(n) {
    const pairs = Array.from({ length: n }, () => [randomUUID(), randomUUID(), randomUUID()]);
    const column = (i) => pairs.map((p) => p[i]);
    await this.cluster.pg.query(`INSERT INTO users (id, first_name)
      SELECT unnest($1::text[]), 'Ann'`, [[...column(0), ...column(1)]]);
    await this.cluster.pg.query(`INSERT INTO matches (id, user_a_id, user_b_id)
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[])`, [column(2), column(0), column(1)]);
    for (const [i, [a, b, match]] of pairs.entries()) {
      const [ua, ub] = [a, b].map((id, side) => ({ id, match, n: 2 * i + side, name: `${'ab'[side]}${i}` }));
      ua.peer = ub;
      ub.peer = ua;
      this.users.push(ua, ub);
    }
  }

  async #open(user) {
    const device = new Device(this.cluster.url, {
      token: sign({ userId: user.id, iat: now(), exp: now() + 86400 }, this.cluster.secret),
      transports: TRANSPORTS[user.n % TRANSPORTS.length], timeout: 60000,
    });
    user.device = device;
    user.devices = [device];
    const d = this.ledger.follow(device, { name: user.name, user });
    d.peer = user.peer;
    let instance;
    device.on('up', ({ sid }) => { instance = instanceOf(sid); user.instance = instance; });
    device.on('down', (reason) => this.lost.push({ name: user.name, instance, at: Date.now(), reason }));
    device.on('refused', (why) => this.refused.push({ name: user.name, at: Date.now(), why }));
    const sender = new Sender(this.ledger, { user, peer: user.peer, match: user.match, device, interval: this.interval });
    this.senders.push(sender);
    await eventually(() => device.up, `${user.name} is there`, 90000);
  }

  chat() { for (const s of this.senders) s.start(); }
  hush() { for (const s of this.senders) s.stop(); }

  // From `at` on these instances may close their clients' connections.
  release(instances, at) { for (const i of instances) this.#released.set(i, at); }

  // Losses that nobody had announced.
  unasked() {
    return this.lost.filter(({ instance, at }) => !(this.#released.get(instance) <= at));
  }

  get there() { return this.users.filter((u) => u.device.up).length; }
  get acknowledged() { let n = 0; for (const m of this.ledger.sent.values()) if (m.id) n++; return n; }
  get delivered() { return this.ledger.told.size; }
  instances() { return new Set(this.users.map((u) => u.instance)); }

  async all(ms = 60000) {
    await eventually((note) => { note(this.there); return this.there === this.users.length; }, 'everybody is there', ms);
  }

  // Messages flow: n more than now are confirmed.
  async flows(n, ms = 60000) {
    const from = this.delivered;
    await eventually((note) => { note(this.delivered - from); return this.delivered - from >= n; }, `${n} more messages`, ms);
  }

  close() {
    for (const s of this.senders) s.close();
    for (const { device } of this.users) device?.close();
  }
}
