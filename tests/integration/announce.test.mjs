// user:status, where many are concerned: what it costs, and that it ends right.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster, suite } from './lib/cluster.mjs';
import { instanceOf } from './lib/client.mjs';
import { eventually } from './lib/wait.mjs';

const CROWD = 1000;
const LONG = 30000;
const of = (user, online) => (s) => s.userId === user && s.online === online;

// A user with n matches, whose ids are returned.
async function popular(c, n) {
  const me = await c.user();
  const others = Array.from({ length: n }, (_, i) => `${me}-${i}`);
  await c.pg.query('INSERT INTO users (id) SELECT unnest($1::text[])', [others]);
  await c.pg.query('INSERT INTO matches (id, user_a_id, user_b_id) SELECT id, id, $2 FROM unnest($1::text[]) AS id', [others, me]);
  return { me, others };
}

// fn for each of them, some at once.
async function forEach(list, fn) {
  const next = list.values();
  await Promise.all(Array.from({ length: 50 }, async () => { for (const item of next) await fn(item); }));
}

// All of them, on one worker if it is given.
async function crowd(c, users, on) {
  const clients = [];
  await forEach(users, async (user) => {
    for (;;) {
      const raw = c.raw();
      const open = await raw.frame((f) => f.startsWith('0{'), LONG);
      if (on !== undefined && instanceOf(JSON.parse(open.slice(1)).sid) !== on) {
        raw.close();
        continue;
      }
      await raw.join({ token: c.token(user) });
      clients.push(raw);
      return;
    }
  });
  return clients;
}

async function killed(c, instance, clients) {
  process.kill((await c.worker(instance)).pid, 'SIGKILL');
  await Promise.all(clients.map((raw) => raw.gone()));
}

async function redisCalls(c) {
  const calls = {};
  for (const [, name, n] of (await c.redis.info('commandstats')).matchAll(/^cmdstat_(\S+):calls=(\d+)/gm)) calls[name] = Number(n);
  return calls;
}

await suite({ chat: { offline_grace: '1s' } }, {
  async 'of 3,000 matches the five who are online'(c, t) {
    const { me, others } = await popular(c, 3000);
    const [one, two] = await c.instances();
    const five = [];
    for (let i = 0; i < 5; i++) five.push(await c.connect(others[i * 500], { on: i % 2 ? one : two }));
    await eventually(async () => (await c.status()).totals.announced === 5, 'theirs is told');
    await c.redis.configResetStat();
    const from = performance.now();
    const mine = await c.connect(me, { on: one });
    for (const client of five) await client.got('user:status', of(me, true));
    // ticks, leases and sweeps go on meanwhile
    const allowed = 40 + 20 * (performance.now() - from) / 1000;
    const calls = await redisCalls(c);
    const sum = Object.values(calls).reduce((n, v) => n + v, 0);
    assert.ok(calls.smismember <= 16, `SMISMEMBER ${calls.smismember}`);
    assert.ok(calls.publish <= 8 + allowed / 4, `PUBLISH ${calls.publish}`);
    t.diagnostic(`${sum} commands: ${JSON.stringify(calls)}`);
    assert.ok(sum <= 3 * allowed, `${sum} commands: ${JSON.stringify(calls)}`);
    mine.close();
    for (const client of five) {
      await client.got('user:status', of(me, false));
      assert.deepEqual(client.all('user:status', (s) => s.userId === me).map((s) => s.online), [true, false]);
    }
  },

  async 'a thousand come back after the grace: all are told, and right in the end'(c) {
    const { me, others } = await popular(c, CROWD);
    const [one, two] = await c.instances();
    const watcher = await c.connect(me, { on: two });
    const clients = await crowd(c, others, one);
    await watcher.gotMany(CROWD, 'user:status', (s) => s.online, LONG);
    await killed(c, one, clients);
    await watcher.gotMany(CROWD, 'user:status', (s) => !s.online, LONG);
    await crowd(c, others);
    const last = new Map();
    await eventually((note) => {
      for (const s of watcher.all('user:status')) last.set(s.userId, s.online);
      const online = [...last.values()].filter(Boolean).length;
      note(online);
      return online === CROWD;
    }, 'all online again', LONG);
    assert.equal(last.size, CROWD);
    await eventually(async () => (await c.redis.sCard('online:users')) === CROWD + 1, 'they and the watcher');
  },
});

// However long that takes here.
test('a thousand come back within the grace: nobody is told', { timeout: 120000 }, async () => {
  const c = await Cluster.start({ chat: { offline_grace: '10m' } });
  try {
    const { me, others } = await popular(c, CROWD);
    const [one, two] = await c.instances();
    const watcher = await c.connect(me, { on: two });
    const clients = await crowd(c, others, one);
    await watcher.gotMany(CROWD, 'user:status', (s) => s.online, LONG);
    const before = watcher.events.length;
    await killed(c, one, clients);
    await eventually(async () => (await c.redis.zCard('pw:leaving')) === CROWD, 'all are leaving');
    await crowd(c, others);
    // whom the grace's end would tell of
    await eventually(async () => (await c.redis.zCard('pw:leaving')) === 0, 'nobody is leaving');
    await watcher.roundTrip();
    assert.deepEqual(watcher.events.slice(before).filter((e) => e.name === 'user:status'), []);
    for (const user of others) assert.ok(await c.redis.sIsMember('online:users', user));
    await c.ready();
  } finally {
    await c.stop();
    await c.cleanUp();
  }
});
