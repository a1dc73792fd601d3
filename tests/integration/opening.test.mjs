// When a worker that was started begins to serve.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { suite } from './lib/cluster.mjs';
import { Relay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

const relay = await Relay.to(process.env.PW_TEST_REDIS_HOST, process.env.PW_TEST_REDIS_PORT);
after(() => relay.close());

const UP = ['redis_up', 'redis_sub_up', 'postgres_up', 'listen_up', 'store_up'];

// Answered when the successor is ready.
async function restarted(c) {
  const begun = Date.now();
  await c.ctl('restart', '0');
  const ms = Date.now() - begun;
  const { stats } = (await c.status()).slots[0];
  return { ms, down: UP.filter((k) => stats[k] !== 1) };
}

await suite({ redis: { redis_host: '127.0.0.1', redis_port: relay.port }, server: { workers: 1, drain_spread: '1ms' } }, {
  async 'with backends that are there: not before it has reached them'(c) {
    const { a, match } = await c.pair();
    relay.slow = 300;
    // a worker that has needed a second for them serves without: no answer then
    for (let tries = 0, down; down?.length !== 0; tries++) {
      assert.ok(tries < 20, 'a second is too short here');
      const { ms, ...then } = await restarted(c);
      ({ down } = then);
      if (ms < 1000) assert.deepEqual(down, []);
    }
    const ca = await c.connect(a);
    await ca.send(match, 'at once');
  },

  async 'with one that is down: after a second'(c) {
    relay.cut();
    // that long; forever, a start may take 30 s
    const { ms, down } = await restarted(c);
    assert.ok(down.includes('redis_up'));
    assert.ok(ms >= 900 && ms < 20000, `${ms} ms`);
    relay.mend();
    await eventually(async () => (await c.status()).slots[0].stats.redis_sub_up === 1, 'Redis is back');
  },
});
