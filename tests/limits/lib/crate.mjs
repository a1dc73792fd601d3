// Many events for pairwire-pushd, each about a message of its own, and what came
// of them: users with one device each, every other one's APNs'.
import { randomUUID } from 'node:crypto';
import { STREAM } from '../../integration/lib/pushd.mjs';

const EACH = 2000;	// events of a pipeline
const CHECKED = 1000;	// one of so many requests is looked at as fakes do

const digits = (n, width) => String(n).padStart(width, '0');
const userId = (n) => `00000000-0000-4000-8000-${digits(n, 12)}`;
const matchId = (n) => `00000000-0000-4000-9000-${digits(n, 12)}`;
const messageId = (n) => n.toString(16).padStart(24, '0');
const isApns = (user) => user % 2 === 1;
const tokenOf = (user) => (isApns(user) ? digits(user, 64) : `token${digits(user, 10)}:APA91b${'x'.repeat(134)}`);

// For the users of a world; content: its length.
export class Crate {
  shown;	// how often, by number of the event
  arrived = 0;	// all of these
  strange = [];	// sentences: what is no notification of ours
  #stalled = new Set();

  constructor(world, { events, users, content = 40 }) {
    Object.assign(this, { world, n: events, users, content: 'c'.repeat(content) });
    this.shown = new Uint8Array(events);
    this.expiresAt = new Date(Date.now() + 3600e3).toISOString();
    for (const fake of [world.fcm, world.apns]) this.#watch(fake);
  }

  // What the workers and the app have written by then: devices, unread counts,
  // messages that owe.
  async prepare() {
    const w = this.world;
    await w.pg.query(`INSERT INTO devices (id, user_id, provider, platform, push_token, updated_at)
      SELECT gen_random_uuid()::text, '00000000-0000-4000-8000-' || lpad(n::text, 12, '0'),
        CASE n % 2 WHEN 1 THEN 'apns' ELSE 'fcm' END, CASE n % 2 WHEN 1 THEN 'ios' ELSE 'android' END,
        CASE n % 2 WHEN 1 THEN lpad(n::text, 64, '0') ELSE 'token' || lpad(n::text, 10, '0') || ':APA91b' || repeat('x', 134) END, now()
      FROM generate_series(0, $1::int - 1) n`, [this.users]);
    await w.pg.query(`INSERT INTO messages (id, match_id, sender_id, recipient_id, content, type, pos, src, sent_at, owe, chg)
      SELECT lpad(to_hex(n), 24, '0'), '00000000-0000-4000-9000-' || lpad((n % $2)::text, 12, '0'), 'ann',
        '00000000-0000-4000-8000-' || lpad((n % $2)::text, 12, '0'), $3, 'text', n + 1, 'test:0:1', now(), $4, n + 1
      FROM generate_series(0, $1::int - 1) n`, [this.n, this.users, this.content, (Date.now() + 3600e3) * 1000]);
    await w.pg.query('ANALYZE');
    const counts = Array.from({ length: this.users }, (_, u) => [`pw:urb:${userId(u)}`, { '': '0', [matchId(u)]: '3' }]);
    for (let i = 0; i < counts.length; i += EACH)
      await Promise.all(counts.slice(i, i + EACH).map(([key, fields]) => w.redis.hSet(key, fields)));
  }

  // As a worker writes it.
  event(n) {
    const user = n % this.users;
    return JSON.stringify({
      v: 1, userId: userId(user), type: 'new_message',
      data: { matchId: matchId(user), senderId: randomUUID(), senderName: 'Ann', content: this.content, messageId: messageId(n) },
      queuedAt: new Date().toISOString(), expiresAt: this.expiresAt,
    });
  }

  // Events from the first to the last into Redis.
  async queue(first = 0, last = this.n) {
    for (let i = first; i < last; i += EACH) {
      await Promise.all(Array.from({ length: Math.min(EACH, last - i) }, (_, k) =>
        this.world.redis.xAdd(STREAM, '*', { event: this.event(i + k), key: messageId(i + k) })));
    }
  }

  // Into a topic of Kafka.
  async produce(broker, topic) {
    for (let i = 0; i < this.n; i += 2 * EACH) {
      await broker.produce(topic, Array.from({ length: Math.min(2 * EACH, this.n - i) }, (_, k) =>
        ({ key: userId((i + k) % this.users), value: this.event(i + k) })));
    }
  }

  // This provider takes requests and never answers; or is well again.
  stall(fake, stalled = true) {
    fake.always('*', stalled ? { stall: true } : undefined);
    if (stalled) this.#stalled.add(fake);
    else this.#stalled.delete(fake);
  }

  // How many were shown so many times: { 1: 100000 } is as it should be.
  get times() {
    const times = {};
    for (const t of this.shown) times[t] = (times[t] ?? 0) + 1;
    return times;
  }

  // Of a hundred thousand requests a fake need not keep each, nor check each one's
  // signature: it would be what is measured.
  #watch(fake) {
    const judge = fake.judge.bind(fake);
    let requests = 0;
    fake.judge = (r) => {
      const answer = requests++ % CHECKED === 0 ? judge(r) : { status: 200, headers: {}, body: fake === this.world.fcm ? '{"name":"m"}' : '' };
      if (!answer.wrong && !this.#stalled.has(fake)) this.#count(fake, r);
      return answer;
    };
    fake.noted = () => {};
  }

  #count(fake, r) {
    const body = JSON.parse(r.raw.toString());
    const [token, data] = fake === this.world.fcm ? [body.message.token, body.message.data] : [r.path.slice('/3/device/'.length), body];
    const n = parseInt(data.messageId, 16);
    if (token !== tokenOf(n % this.users) || isApns(n % this.users) !== (fake === this.world.apns)) {
      this.strange.push(`${data.messageId} for ${token} at ${fake.name}`);
      return;
    }
    this.shown[n]++;
    this.arrived++;
  }
}
