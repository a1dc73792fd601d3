// A stop while a backend accepts everything and answers nothing, with questions
// open.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { readFileSync } from 'node:fs';
import { suite } from './lib/cluster.mjs';
import { Relay } from './lib/relay.mjs';

const { hostname, port } = new URL(process.env.PW_TEST_DATABASE_URL);
const database = await Relay.to(hostname, port);
const redis = await Relay.to(process.env.PW_TEST_REDIS_HOST, process.env.PW_TEST_REDIS_PORT);
after(() => { database.close(); redis.close(); });

function through(c) {
  const url = new URL(c.databaseUrl);
  url.host = `127.0.0.1:${database.port}`;
  // whoever waited for an answer would be killed first
  return {
    server: { stop_timeout: '20s' },
    directory: { database_url: url.href, database_timeout: '2m' },
    redis: { redis_host: '127.0.0.1', redis_port: redis.port, redis_timeout: '2m' },
  };
}

const hung = (relay) => async (c) => {
  const far = await c.anotherHost(through(c));
  const client = await far.connect(await c.user());
  await client.roundTrip();
  const { slots } = await far.status();
  relay.freeze();
  const asked = far.ctl('check').catch(() => {});
  await far.status();	// behind it
  const exit = await far.stop().finally(() => relay.thaw());
  await asked;
  assert.deepEqual(exit, { code: 0, signal: null });
  const log = readFileSync(far.log, 'utf8');
  for (const s of slots) assert.match(log, new RegExp(`pid=${s.pid} status=0`));
};

await suite({}, {
  'the app\'s database hangs': hung(database),
  'Redis hangs': hung(redis),
});
