// What monitoring sees of a running cluster.
import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { suite } from './lib/cluster.mjs';
import { parse, sum } from './lib/prometheus.mjs';
import { eventually } from './lib/wait.mjs';

// A Redis that can go away and come back.
class Way {
  #sockets = new Set();

  async open(port = 0) {
    this.server = createServer((from) => {
      const to = connect(Number(process.env.PW_TEST_REDIS_PORT), process.env.PW_TEST_REDIS_HOST);
      for (const [a, b] of [[from, to], [to, from]]) {
        this.#sockets.add(a);
        a.on('error', () => {}).on('close', () => { this.#sockets.delete(a); b.destroy(); });
        a.pipe(b);
      }
    }).listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
    this.server.unref();
    return this;
  }

  async close() {
    this.server.close();
    for (const s of this.#sockets) s.destroy();
    await once(this.server, 'close');
  }
}

const get = async (c, path, status = 200) => {
  const response = await fetch(c.adminUrl + path);
  assert.equal(response.status, status, path);
  return response;
};
const metrics = async (c) => parse(await (await get(c, '/metrics')).text());
const page = async (c) => (await get(c, '/status.json')).json();

const redis = await new Way().open();

await suite({ log: { status_interval: '500ms' }, redis: { redis_host: '127.0.0.1', redis_port: redis.port, lease: '6s' } }, {
  async 'counters and gauges move'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const before = await metrics(c);
    const ca = await c.connect(a, { on: one });
    const cb = await c.connect(b, { on: two });
    const { messageId } = await ca.send(match, 'hello');
    await cb.got('message:new', (m) => m.id === messageId);
    await ca.got('message:delivered');
    await eventually(async (note) => {
      const now = await metrics(c);
      const by = Object.fromEntries([
        'pairwire_messages_accepted_total', 'pairwire_messages_emitted_total', 'pairwire_messages_confirmed_total',
        'pairwire_store_seconds_count', 'pairwire_confirm_seconds_count', 'pairwire_sockets', 'pairwire_users',
      ].map((name) => [name, sum(now, name) - sum(before, name)]));
      // the message one way, what became of it the other
      const ways = ['pairwire_routed_total', 'pairwire_received_total', 'pairwire_route_seconds_count'].map((name) => sum(now, name) - sum(before, name));
      note({ ...by, ways });
      return Object.values(by).every((n, i) => n === (i < 5 ? 1 : 2)) && ways.every((n) => n >= 2) && sum(now, 'pairwire_cluster_online_users') === 2;
    }, 'one message, two users');
    const now = await metrics(c);
    assert.equal(sum(now, 'pairwire_workers'), 2);
    assert.equal(sum(now, 'pairwire_worker_up'), 2);
    assert.ok(sum(now, 'pairwire_store_seconds_sum') > 0);
    assert.ok(sum(now, 'pairwire_worker_resident_memory_bytes') > 2e6);
    const started = sum(now, 'process_start_time_seconds') * 1000;
    assert.ok(started < Date.now() && started > Date.now() - 600000);
    for (const s of now.get('pairwire_accepted_total').samples) assert.deepEqual(Object.keys(s.labels), ['worker']);
  },

  async '/status.json has the numbers that dashboards know, and the log has them too'(c) {
    const from = Date.now();
    const { a, b } = await c.pair();
    await c.connect(a);
    await c.connect(a);
    await c.connect(b);
    const status = await eventually(async (note) => {
      const s = await page(c);
      note(s);
      return s.connectedSockets === 3 && s.onlineUsers >= 2 && s;
    }, 'three sockets');
    const users = status.workers.reduce((n, w) => n + w.stats.users, 0);
    assert.equal(status.rooms, 3 + users);
    const line = new RegExp(`status: connections=3 sockets=3 users=${users} online=[1-9]\\d* rooms=${status.rooms} `);
    await eventually(() => line.test(readFileSync(c.log, 'utf8')), `${line} in the log`);
    assert.ok(Date.parse(status.timestamp) >= from && Date.parse(status.timestamp) <= Date.now());
    assert.ok(status.uptime >= 0);
    assert.equal(status.workers.length, 2);
    assert.equal(status.state, 'ready');
    for (const name of ['redis', 'redis_sub', 'postgres', 'listen', 'store', 'push']) {
      assert.deepEqual(status.backends[name], { state: 'up', workers: 2 }, name);
    }
  },

  async 'nothing that counts goes back when a worker is killed'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a, { on: one });
    await c.connect(b, { on: two });
    await ca.send(match, 'x');
    const victim = await c.worker(one);
    const counts = (families) => new Map([...families.values()].filter((f) => f.type !== 'gauge')
      .flatMap((f) => f.samples).map((s) => [s.name + JSON.stringify(s.labels), s.value]));
    let last = counts(await metrics(c));
    process.kill(victim.pid, 'SIGKILL');
    await eventually(async () => {
      const families = await metrics(c);
      const now = counts(families);
      for (const [series, n] of last) assert.ok(now.get(series) >= n, `${series}: ${n}, then ${now.get(series)}`);
      last = now;
      return sum(families, 'pairwire_worker_restarts_total') === 1 && sum(families, 'pairwire_worker_up') === 2;
    }, 'a new worker');
    await c.ready();
  },

  async '/readyz follows Redis, /healthz does not'(c) {
    assert.equal(await (await get(c, '/readyz')).text(), 'ok\n');
    await redis.close();
    const missing = await eventually(async () => {
      const response = await fetch(`${c.adminUrl}/readyz`);
      const lines = (await response.text()).trim().split('\n').sort();
      return response.status === 503 && lines.length === 6 && lines;
    }, 'not ready');
    assert.deepEqual(missing, [0, 1].flatMap((w) => ['push', 'redis', 'redis_sub'].map((name) => `worker=${w} backend=${name} state=down`)));
    await get(c, '/healthz');
    const status = await page(c);
    assert.deepEqual(status.backends.redis, { state: 'down', workers: 0 });
    assert.deepEqual(status.backends.store, { state: 'up', workers: 2 });
    await redis.open(redis.port);
    await eventually(async () => (await fetch(`${c.adminUrl}/readyz`)).status === 200, 'ready again');
  },
});
