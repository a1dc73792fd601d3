// pairwire-pushd on a real Kafka: offsets follow outcomes; a broker that goes and
// comes back. What dies under load: pushd_kafka_deaths.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broker } from './lib/kafka.mjs';
import { DEAD_LETTER, PushWorld, STREAM as TOPIC } from './lib/pushd.mjs';
import { eventually, withDeadline } from './lib/wait.mjs';

const PARTITIONS = 4;
const GROUP = 'pushd';

const broker = await Broker.start();
await broker.createTopic(TOPIC, PARTITIONS);
await broker.createTopic(DEAD_LETTER, 1);
// the timeout is Kafka's, too: until a broker that is silent is given up
const world = await PushWorld.start({ push: { push_queue_url: broker.url }, redis: { redis_timeout: '8s' } }, { daemon: false });

function service(name, fn) {
  test(name, { timeout: 180000 }, async (t) => {
    await world.tidy();
    await fn(t);
    assert.deepEqual(world.providers.violations, []);
  });
}

// Members of the group as long as the tests last: one that comes again has its
// partitions at once. Of a failing test, too.
async function withPushds(n, fn) {
  const all = await Promise.all(Array.from({ length: n }, (_, i) => world.start({ pushd: { pushd_name: `member${i}` } })));
  try {
    await fn(...all);
  } finally {
    for (const d of all) if (!d.exit) await d.end('SIGKILL');
  }
}

async function queue(...events) {
  await broker.produce(TOPIC, events.map((e) => ({ key: e.userId ?? null, value: e })));
  return events;
}
const notify = (devices) => queue(...devices.map(({ user }) => world.event(user)));
const owners = (n) => Promise.all(Array.from({ length: n }, (_, i) => world.owner(i % 2 ? 'apns' : 'fcm')));

// Everything in the topic is settled, for good.
const allCommitted = (ms = 60000) => eventually(async (note) => {
  const ends = new Map();
  for (const m of await broker.read(TOPIC)) ends.set(m.partition, Math.max(ends.get(m.partition) ?? 0, m.offset + 1));
  const behind = (await broker.committed(GROUP, TOPIC)).filter((c) => c.offset < (ends.get(c.partition) ?? 0));
  note(behind);
  return behind.length === 0;
}, 'all offsets committed', ms);

const shownOnce = (devices) => assert.deepEqual(devices.filter((d) => world.shown(d).length !== 1).map((d) => world.shown(d).length), []);

async function stops(d) {
  d.signal('SIGTERM');
  await stopped(d);
}

async function stopped(d) {
  assert.deepEqual(await withDeadline(d.ended, 60000, 'it ends'), { code: 0, signal: null });
}

service('each event is notified, and what is settled is not taken again', async () => {
  const first = await owners(40);
  await withPushds(1, async (d) => {
    await notify(first);
    for (const one of first) await world.wasShown(one, 1, 60000);
    await eventually(async () => await d.metric('events_done_total') === 40 && await d.metric('queue_lag') === 0, 'done');
    await stops(d);
  });
  await allCommitted();
  const second = await owners(5);
  await withPushds(1, async (d) => {
    await notify(second);
    for (const one of second) await world.wasShown(one, 1, 60000);
    assert.equal(await d.metric('events_total'), 5);
    await stops(d);
  });
  shownOnce([...first, ...second]);
});

service('a stop finishes what is in flight, and commits it', async () => {
  const device = await world.owner();
  await withPushds(1, async (d) => {
    const release = world.fcm.hold();
    await notify([device]);
    await eventually(() => world.sent(device).length === 1, 'a request', 60000);
    d.signal('SIGTERM');
    await d.logged(/stopping in_flight=1/);
    release();
    await stopped(d);
  });
  shownOnce([device]);
  await allCommitted();
});

service('poison and what is refused goes to the dead letter, with its key and why', async () => {
  await withPushds(1, async (d) => {
    const [refused, next] = [await world.owner('apns'), await world.owner('apns')];
    world.apns.always(refused.token, { status: 400, reason: 'BadTopic' });
    await broker.produce(TOPIC, [{ key: 'x', value: 'no JSON' }]);
    await notify([refused, next]);
    await world.wasShown(next, 1, 60000);
    const dead = await eventually(async () => {
      const all = await broker.read(DEAD_LETTER);
      return all.length === 2 && all;
    }, 'two dead letters');
    const [poison, bad] = ['x', refused.user].map((key) => dead.find((m) => m.key === key));
    assert.equal(poison.value, 'no JSON');
    assert.match(poison.headers.source, new RegExp(`^${TOPIC}/\\d+/\\d+$`));
    assert.ok(poison.headers.reason && Date.parse(poison.headers.time));
    assert.match(bad.headers.reason, /BadTopic/);
    assert.equal(bad.headers.attempts, '1');
    // the cause is gone: as it was, back into the queue
    world.apns.always(refused.token);
    await broker.produce(TOPIC, [{ key: bad.key, value: bad.value }]);
    await world.wasShown(refused);
    await stops(d);
  });
  await allCommitted();
});

service('the broker goes and comes back', async () => {
  await withPushds(1, async (d) => {
    const before = await owners(10);
    await notify(before);
    for (const one of before) await world.wasShown(one, 1, 60000);
    await broker.kill();
    await eventually(async (note) => {
      const response = await fetch(`${d.url}/readyz`);
      const text = await response.text();
      note(text);
      return response.status === 503 && text === 'backend=queue state=down\n';
    }, 'not ready', 60000);
    await broker.restart();
    const later = await owners(10);
    await notify(later);
    for (const one of later) await world.wasShown(one, 1, 60000);
    await d.ready();
    shownOnce([...before, ...later]);
    await stops(d);
  });
  await allCommitted();
});

test('nothing is left', async () => {
  await world.cleanUp();
  await broker.stop();
});
