// What a notification costs pairwire-pushd, and what it holds while providers
// stand still. Prints its figures, one a line.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as pass } from 'node:timers/promises';
import { Broker } from '../integration/lib/kafka.mjs';
import { PushWorld, STREAM } from '../integration/lib/pushd.mjs';
import { Relay } from '../integration/lib/relay.mjs';
import { eventually } from '../integration/lib/wait.mjs';
import { Crate } from './lib/crate.mjs';
import { cpuSeconds, memory, memoryPeak } from './lib/process.mjs';

const EVENTS = Number(process.env.PW_TEST_EVENTS || 100000);	// fewer for a quick look
const KAFKA_EVENTS = Math.min(EVENTS, 20000);	// the same path from the queue on
const USERS = 20000;
const QUEUED = 20000;	// behind providers that stand still
const IN_FLIGHT = 1000;
const FIRST = 200;	// before they do
const STILL_S = 12;	// longer than push_timeout

const MAX_CPU_US = 200;		// of pushd, a notification
const MAX_BYTES = 64 * 2 ** 20;
const MAX_GROWTH = 2 * 2 ** 20;	// while nothing moves

const figure = (line) => console.log(`figure: ${line}`);
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

// A world whose pushd has made its tables, and is not running.
async function prepared(t, crateConf) {
  const w = await PushWorld.start({ log: { log_level: 'info' }, pushd: { push_in_flight: IN_FLIGHT }, store: { store_url: '' } });
  t.after(() => w.stop());
  await eventually(async () => (await w.pg.query("SELECT to_regclass('messages') AS made")).rows[0].made, 'the table of messages');
  await w.daemon.end();
  const crate = new Crate(w, crateConf);
  await crate.prepare();
  return { w, crate };
}

// What look() finds, five times a second.
async function watch(seconds, look) {
  const found = [];
  for (let i = 0; i <= seconds * 5; i++) {
    found.push(await look());
    await pass(200);	// what is watched is time passing
  }
  return found;
}

// Of a pushd that is as new: all that it did, its start included.
async function measure(w, crate, queue, conf, waiting) {
  const begin = performance.now();
  const { pid } = (await w.start(conf)).process;
  await eventually(async (note) => {
    note(crate.arrived);
    return crate.arrived >= crate.n;
  }, 'all of them to arrive', 120000);
  const seconds = (performance.now() - begin) / 1000;
  await eventually(async (note) => {
    const n = await waiting();
    note(n);
    return n === 0;
  }, 'all of them to be acknowledged', 60000);
  const us = cpuSeconds(pid) / crate.n * 1e6;
  figure(`${crate.n} events through one pushd (${queue}): ${Math.round(crate.n / seconds)} notifications a second, ` +
    `${us.toFixed(1)} us of its CPU each; ${mib(memoryPeak(pid))} at most`);
  assert.deepEqual(crate.times, { 1: crate.n });
  assert.deepEqual([crate.strange, w.providers.violations], [[], []]);
  assert.ok(us <= MAX_CPU_US, `${us.toFixed(1)} us`);
  assert.ok(memoryPeak(pid) <= MAX_BYTES, mib(memoryPeak(pid)));
}

test(`${EVENTS} events in Redis Streams`, { timeout: 240000 }, async (t) => {
  const { w, crate } = await prepared(t, { events: EVENTS, users: USERS });
  await crate.queue();
  await measure(w, crate, 'Redis Streams', {}, () => w.waiting());
  assert.equal((await w.pg.query('SELECT FROM messages WHERE owe <> 0')).rowCount, 0, 'nothing is owed');
});

test(`${KAFKA_EVENTS} events in Kafka`, { timeout: 240000, skip: process.env.PW_TEST_KAFKA ? false : 'no Kafka' }, async (t) => {
  const address = process.env.PW_TEST_KAFKA;
  const broker = Object.assign(new Broker(), { address, url: `kafka://${address}` });
  const topic = `pushd-${randomBytes(6).toString('hex')}`;
  await broker.createTopic(topic);
  const { w, crate } = await prepared(t, { events: KAFKA_EVENTS, users: USERS });
  await crate.produce(broker, topic);
  await measure(w, crate, 'Kafka', { push: { push_queue_url: `${broker.url}/${topic}` } },
    async () => KAFKA_EVENTS - (await broker.committed('pushd', topic)).reduce((n, p) => n + Math.max(p.offset, 0), 0));
});

// One provider takes requests and answers none, the other one's connections are
// not read. Large events, and many more than may be in flight.
test(`providers that stand still before ${QUEUED} events`, { timeout: 240000 }, async (t) => {
  const { w, crate } = await prepared(t, { events: QUEUED, users: USERS, content: 2000 });
  const relay = await Relay.to('127.0.0.1', w.apns.port);
  t.after(() => relay.close());
  const { pid } = (await w.start({ pushd: { apns_url: `https://localhost:${relay.port}`, push_timeout: '10s' } })).process;
  const out = async () => (await w.redis.xPending(STREAM, 'pushd')).pending;
  await crate.queue(0, FIRST);
  await w.settled();
  crate.stall(w.fcm);
  relay.freeze();
  try {
    await crate.queue(FIRST);
    await eventually(async (note) => {
      const n = await out();
      note(n);
      return n === IN_FLIGHT;
    }, 'as many in flight as may be', 60000);
    const rss = await watch(STILL_S, async () => {
      const n = await out();
      assert.ok(n <= IN_FLIGHT, `${n} of the queue are out`);
      return memory(pid).rss;
    });
    const waiting = await w.waiting();
    figure(`providers that stand still before ${waiting} events, ${IN_FLIGHT} of them in flight: pushd had ${mib(rss[0])}, ` +
      `after ${STILL_S} s ${mib(rss.at(-1))}; ${mib(memoryPeak(pid))} at most`);
    assert.equal(waiting, QUEUED - FIRST, 'all of them wait');
    assert.ok(Math.max(...rss) - rss[0] <= MAX_GROWTH, `${rss.map(mib)}`);
  } finally {
    crate.stall(w.fcm, false);
    relay.thaw();
  }
  await w.settled(120000);
  figure(`when they are well again all is delivered; pushd has ${mib(memory(pid).rss)}, ${mib(memoryPeak(pid))} at most`);
  assert.deepEqual(crate.times, { 1: QUEUED });
  assert.deepEqual([crate.strange, w.providers.violations], [[], []]);
  assert.ok(memoryPeak(pid) <= MAX_BYTES, mib(memoryPeak(pid)));
});
