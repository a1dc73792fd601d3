// One host loses one backend after the other: what its users see meanwhile, what
// its gauges and its log say, and that all is made good when it is back.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { suite } from './lib/cluster.mjs';
import { Relay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

// Each one more line would be seen.
const MANY = 100;
const DELIVERY = 1000;

const relays = {};
let far;	// the host

const relayed = async (name, url) => {
  const u = new URL(url);
  relays[name] = await Relay.to(u.hostname || '127.0.0.1', u.port || 27017);
  u.hostname = '127.0.0.1';
  u.port = relays[name].port;
  return u.href;
};

async function host(c) {
  if (far) return far;
  const redis = new URL(await relayed('redis', `redis://${process.env.PW_TEST_REDIS_HOST}:${process.env.PW_TEST_REDIS_PORT}`));
  far = await c.anotherHost({
    server: { workers: 1 },
    directory: { database_url: await relayed('directory', c.databaseUrl) },
    store: { store_url: await relayed('store', c.store.url || c.databaseUrl) },
    redis: { redis_host: '127.0.0.1', redis_port: redis.port },
    push: { push_queue_url: await relayed('push', c.queueUrl) },
  });
  return far;
}

const stat = async (name) => (await far.status()).slots[0].stats[name];
const lines = () => readFileSync(far.log, 'utf8').split('\n').filter((l) => !l.includes('status:'));

// The backend is away, and the gauge says so, while fn runs. What fn does many
// times over is not in the log. touch: MongoDB's driver notices only then.
async function without(c, name, gauge, fn, touch = async () => {}) {
  await host(c);
  const { pid } = (await far.status()).slots[0];
  const before = lines().length;
  relays[name].cut();
  try {
    await touch();
    await eventually(async () => await stat(gauge) === 0, `${gauge} is 0`);
    await fn(far);
  } finally {
    relays[name].mend();
  }
  await eventually(async () => await stat(gauge) === 1, `${gauge} is 1`);
  const said = lines().slice(before);
  assert.ok(said.length > 0, 'the log says nothing');
  assert.ok(said.length < MANY / 2, said.slice(0, 30).join('\n'));
  assert.equal((await far.status()).slots[0].pid, pid, 'it is the same process');
  return said;
}

const upTo = (n) => Array.from({ length: n }, (_, i) => `${i}`);
const contents = (client, match) => client.all('message:new', (m) => m.matchId === match).map((m) => m.content);

await suite({ chat: { delivery_timeout: `${DELIVERY}ms`, offline_grace: '500ms' } }, {
  async 'the store: sends are refused, typing and presence go on; then all is there, once'(c) {
    const { a, b, match } = await c.pair();
    await host(c);
    const [ca, cb] = [await far.connect(a), await c.connect(b)];
    const third = await c.user();
    await c.match(b, third);
    const before = await ca.send(match, 'before');
    await ca.got('message:delivered', (d) => d.messageId === before.messageId);
    await without(c, 'store', 'store_up', async () => {
      const answers = await Promise.all(upTo(MANY).map((i) => ca.ask('message:send', { matchId: match, content: i, tempId: i })));
      assert.deepEqual([...new Set(answers.map((x) => x.code))], ['SERVICE_UNAVAILABLE']);
      assert.equal((await ca.ask('message:sync', { matchId: match })).code, 'SERVICE_UNAVAILABLE');
      ca.emit('message:typing', { matchId: match, isTyping: true });
      await cb.got('user:typing', (x) => x.userId === a);
      const ct = await far.connect(third);
      await cb.got('user:status', (s) => s.userId === third && s.online);
      assert.equal((await ct.ask('presence:get', { userIds: [b] })).statuses[0].online, true);
      ct.close();
      await cb.got('user:status', (s) => s.userId === third && !s.online);
    }, () => ca.ask('message:sync', { matchId: match }));
    for (const i of upTo(MANY)) await ca.send(match, i, { tempId: i });
    await cb.gotMany(MANY + 1, 'message:new');
    await ca.gotMany(MANY + 1, 'message:delivered');
    assert.deepEqual(contents(cb, match), ['before', ...upTo(MANY)]);
    assert.equal((await c.store.messages(match)).length, MANY + 1);
  },

  async 'PostgreSQL: matches that are known go on, and no other is called invalid'(c) {
    const { a, b, match } = await c.pair();
    const other = await c.pair();
    await host(c);
    const [ca, cb] = [await far.connect(a), await c.connect(b)];
    await ca.send(match, 'known');
    await without(c, 'directory', 'postgres_up', async () => {
      for (const i of upTo(MANY)) await ca.send(match, i);
      await cb.gotMany(MANY + 1, 'message:new');
      const answers = await Promise.all(upTo(20).map(() => ca.ask('message:send', { matchId: other.match, content: 'x' })));
      assert.deepEqual([...new Set(answers.map((x) => x.code))], ['SERVICE_UNAVAILABLE']);
      await eventually(async () => await stat('listen_up') === 0, 'listen_up is 0');
    });
    assert.deepEqual(contents(cb, match), ['known', ...upTo(MANY)]);
    assert.equal((await ca.ask('message:send', { matchId: other.match, content: 'x' })).code, 'INVALID_MATCH');
  },

  async 'Redis: stored, answered, and to whoever is here; the rest when it is back'(c) {
    const { a, b, match } = await c.pair();
    await host(c);
    const [ca, near, away] = [await far.connect(a), await far.connect(b), await c.connect(b)];
    await ca.send(match, 'before');
    await away.got('message:new');
    const begun = new Map();
    const said = await without(c, 'redis', 'redis_up', async () => {
      // all at once: another host's sweep would route what is 16 s old
      await Promise.all(upTo(MANY).map(async (i) => {
        const at = performance.now();
        begun.set((await ca.send(match, i)).messageId, at);
      }));
      await near.gotMany(MANY + 1, 'message:new');
      await eventually(async (note) => { note(await stat('unrouted')); return await stat('unrouted') === MANY; }, 'all wait');
      await eventually(async () => await stat('redis_sub_up') === 0, 'redis_sub_up is 0');
      assert.deepEqual(contents(away, match), ['before']);
    });
    await away.gotMany(MANY + 1, 'message:new');
    for (const client of [near, away]) assert.deepEqual(contents(client, match), ['before', ...upTo(MANY)]);
    assert.equal(said.filter((l) => l.includes('stored messages wait for Redis')).length, 1);
    await eventually(() => lines().some((l) => l.includes('nothing waits for Redis any more')), 'the other line');
    // pushed is what this machine was too slow to confirm
    await ca.gotMany(MANY + 1, 'message:delivered');
    const late = ca.events.filter((e) => e.name === 'message:delivered' && e.at - begun.get(e.data.messageId) >= DELIVERY).map((e) => e.data.messageId);
    assert.deepEqual((await c.pushes(b)).map((e) => e.data.messageId).filter((id) => begun.has(id) && !late.includes(id)), []);
  },

  async 'the push queue: another host queues what this one cannot, once'(c) {
    const { a, b, match } = await c.pair();
    await host(c);
    const ca = await far.connect(a);
    await without(c, 'push', 'push_up', async () => {
      for (const i of upTo(MANY)) await ca.send(match, i);
      await c.pushed(b, MANY);
    });
    const ids = (await c.store.messages(match)).map((m) => m.id).sort();
    assert.deepEqual((await c.pushes(b)).map((e) => e.data.messageId).sort(), ids);
  },

  async 'the host stops'() {
    assert.deepEqual(await far.stop(), { code: 0, signal: null });
    for (const r of Object.values(relays)) r.close();
  },
});
