// Clients that do not read: bounded, closed for that reason, and forgotten. And
// nobody waits for them.
import assert from 'node:assert/strict';
import { suite } from '../integration/lib/cluster.mjs';
import { Poller } from '../integration/lib/poller.mjs';
import { eventually, standstill } from '../integration/lib/wait.mjs';
import { memory } from './lib/process.mjs';

const STUCK = 200;
const OUTBOX = 256 * 1024;
const CONTENT = 16 * 1024;
const AT_ONCE = 64;	// messages under way
// Per stuck client, in the worker: its outbox, which malloc may have had to
// move; and what is on its way through.
const MAX_GROWTH = STUCK * OUTBOX * 1.5 + 16e6;
const MAX_LATENCY_MS = 500;	// of the others, 99 of 100; without what the machine stood still

const figure = (line) => console.log(`figure: ${line}`);
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const memoryOf = async (c) => memory((await c.status()).slots[0].pid).rss;
let fresh;	// its RSS before the first test: what one leaves behind counts for the next

const totals = async (c) => (await c.status()).totals;

// Each joins as the user, and stops reading.
const kinds = {
  async 'WebSocket'(c, user) {
    (await c.rawJoin(user)).ws.pause();
  },
  async 'polling, answers unread'(c, user) {
    const p = await Poller.join(c, user);
    p.socket.pause();
    for (let i = 0; i < 100; i++) p.get();	// answered one by one
  },
  async 'polling, without a GET'(c, user) {
    await Poller.join(c, user);
  },
};

// n users with a match with `sender` each.
async function makeMatches(c, sender, n) {
  const { rows } = await c.pg.query(`WITH u AS (INSERT INTO users (id, first_name) SELECT gen_random_uuid(), 'Bob' FROM generate_series(1, $1) RETURNING id)
    INSERT INTO matches (id, user_a_id, user_b_id) SELECT gen_random_uuid(), $2, u.id FROM u RETURNING id AS match, user_b_id AS user`, [n, sender]);
  return rows;
}

// Two who chat until told to stop; how long their messages took, in ms. stop(): for
// how long the machine stood still meanwhile.
async function chat(c) {
  const { a, b, match } = await c.pair();
  const [ca, cb] = [await c.connect(a), await c.connect(b)];
  const times = [];
  const still = standstill();
  let stop = false;
  const done = (async () => {
    while (!stop) {
      const start = performance.now();
      const { messageId } = await ca.send(match, 'still here');
      await cb.got('message:new', (m) => m.id === messageId);
      times.push(performance.now() - start);
    }
    assert.equal(cb.all('message:new').length, times.length);
  })();
  return { times, async stop() { stop = true; await done; return still.end(); } };
}

// Messages to each in turn until all are closed; the worker's largest RSS.
async function flood(c, client, matches) {
  const content = 'x'.repeat(CONTENT - 1);
  const closed = async () => (await totals(c)).closed_outbox;
  const before = await closed();
  let sent = 0;
  let all = false;
  let peak = 0;
  const watch = (async () => {
    while (!all) {
      peak = Math.max(peak, await memoryOf(c));
      all = await closed() === before + matches.length;
    }
  })();
  const send = async () => {
    while (!all) await client.send(matches[sent++ % matches.length].match, content);
  };
  await Promise.all([watch, ...Array.from({ length: AT_ONCE }, send)]);
  return { peak, sent };
}

// delivery_timeout: where the flood takes longer, what the stuck have not confirmed
// is swept, and read for 64 of them at a time: that is another 50 MiB.
await suite({ server: { workers: 1 }, engine: { outbox_limit: OUTBOX, ping_interval: '10m', keepalive_timeout: '3s' }, chat: { content_max: CONTENT, delivery_timeout: '10m' }, limits: { connect_rate: 0, message_rate: 0 } },
  Object.fromEntries(Object.entries(kinds).map(([kind, join]) => [`${STUCK} clients that do not read: ${kind}`, async (c) => {
    const sender = await c.user('Ann');
    const client = await c.connect(sender);
    const matches = await makeMatches(c, sender, STUCK);
    const others = await chat(c);
    const before = await totals(c);
    fresh ??= await memoryOf(c);
    await Promise.all(matches.map(({ user }) => join(c, user)));
    assert.equal((await totals(c)).sockets, before.sockets + STUCK);
    const { peak, sent } = await flood(c, client, matches);
    const lost = await others.stop();
    const after = await eventually(async (note) => {
      const now = await totals(c);
      note(now);
      return now.connections === before.connections && now.outbox_bytes === 0 && now;
    }, 'their connections and outboxes to go', 60000);
    assert.equal(after.closed_outbox, before.closed_outbox + STUCK);
    assert.equal(after.closed_client, before.closed_client, 'nobody left by itself');
    const slow = others.times.sort((x, y) => x - y)[Math.floor(others.times.length * 0.99)];
    figure(`${STUCK} clients that do not read (${kind}): all closed after ${mib(sent * CONTENT / STUCK)} each; the worker grew by ${mib(peak - fresh)}; ` +
      `${others.times.length} messages of others meanwhile, 99 % within ${slow.toFixed(0)} ms`);
    assert.ok(peak - fresh <= MAX_GROWTH, `${mib(peak - fresh)} more, at most ${mib(MAX_GROWTH)}`);
    assert.ok(slow <= MAX_LATENCY_MS + lost, `99 % of the others' messages within ${slow.toFixed(0)} ms, ${lost.toFixed(0)} lost`);
  }])));
