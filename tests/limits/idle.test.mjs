// What a connection costs a worker: memory and CPU while it idles, CPU to come
// and to go, among few others and among many. Prints its figures, one a line.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as pass } from 'node:timers/promises';
import { Crowd } from './lib/crowd.mjs';
import { cpuSeconds, descriptorLimit, median, memory } from './lib/process.mjs';

const WANTED = 19000;
const FEW = 1000;
const BATCH = 500;
const ROUNDS = 9;
const IDLE_S = 35;	// more than a ping interval
const SPARE = 400;	// descriptors of a worker that are no clients

const MAX_BYTES = 2.5 * 1024;
const MAX_IDLE_CPU = 0.02;
const MAX_RATIO = 1.5;

const limit = descriptorLimit();
const MANY = Math.min(WANTED, limit - SPARE - BATCH);
const figure = (line) => console.log(`figure: ${line}`);
const us = (seconds) => `${(seconds * 1e6).toFixed(1)} us`;
const kib = (bytes) => `${(bytes / 1024).toFixed(2)} KiB`;

const few = await Crowd.start();
const many = await Crowd.start();
const fresh = memory(many.pid);
after(() => Promise.all([few.stop(), many.stop()]));

// CPU per client of what act does to a batch of them, without what the idle ones
// cost in the same time.
async function costOf(crowd, act) {
  const before = cpuSeconds(crowd.pid);
  const start = performance.now();
  await act();
  const idle = crowd.idleShare * (performance.now() - start) / 1000;
  return (cpuSeconds(crowd.pid) - before - idle) / BATCH;
}

async function churn(crowd) {
  let batch;
  const connect = await costOf(crowd, async () => { batch = await crowd.open(BATCH); });
  return { connect, close: await costOf(crowd, () => crowd.close(batch)) };
}

// The share of a core that each worker needs with nothing going on.
async function measureIdle(...crowds) {
  const before = crowds.map((c) => cpuSeconds(c.pid));
  const start = performance.now();
  await pass(IDLE_S * 1000);	// what is measured is time passing
  const seconds = (performance.now() - start) / 1000;
  crowds.forEach((c, i) => { c.idleShare = (cpuSeconds(c.pid) - before[i]) / seconds; });
}

test('as many connections as asked for', { timeout: 300000 }, async () => {
  if (MANY < WANTED) {
    figure(`ONLY ${MANY} CONNECTIONS, NOT ${WANTED}: a process may have ${limit} descriptors here (ulimit -Hn)`);
  }
  assert.ok(MANY >= 2 * FEW, `a process may have ${limit} descriptors: nothing to measure`);
  await few.grow(FEW);
  await many.grow(MANY);
  await few.settled();
  await many.settled();
});

test('memory of an idle connection', { timeout: 300000 }, async () => {
  const now = memory(many.pid);
  const rss = (now.rss - fresh.rss) / many.connections;
  const heap = (now.heap - fresh.heap) / many.connections;
  figure(`memory of the worker per idle authenticated connection, of ${many.connections}: ${kib(rss)} RSS, of this ${kib(heap)} heap`);
  assert.ok(rss <= MAX_BYTES, `${kib(rss)} RSS`);
});

test('CPU of an idle worker', { timeout: 300000 }, async () => {
  await measureIdle(few, many);
  const share = (crowd) => `${(crowd.idleShare * 100).toFixed(2)} %`;
  figure(`CPU of the idle worker, of a core over ${IDLE_S} s: ${share(many)} with ${many.connections} connections, ${share(few)} with ${few.connections}`);
  assert.ok(many.idleShare < MAX_IDLE_CPU, share(many));
});

// In turns: what else the machine is doing, and the state of its caches, changes
// the CPU time of both alike. How much the absolute figures say depends on that,
// so that only their ratio has a bound.
test('a connect among many costs little more than among few', { timeout: 480000 }, async () => {
  const rounds = { few: [], many: [] };
  for (let i = 0; i < ROUNDS; i++) {
    rounds.few.push(await churn(few));
    rounds.many.push(await churn(many));
  }
  const cost = (who, what) => median(rounds[who].map((r) => r[what]));
  const ratio = cost('many', 'connect') / cost('few', 'connect');
  const whole = (who) => cost(who, 'connect') + cost(who, 'close');
  figure(`CPU of the worker per authenticated connect: ${us(cost('few', 'connect'))} at ${FEW} connections, ${us(cost('many', 'connect'))} at ${MANY} (${ratio.toFixed(2)} times)`);
  figure(`CPU of the worker per close: ${us(cost('few', 'close'))} and ${us(cost('many', 'close'))} (with the connect ${(whole('many') / whole('few')).toFixed(2)} times)`);
  assert.ok(ratio <= MAX_RATIO, `${ratio.toFixed(2)} times`);
});

test('all of them stay until they leave', { timeout: 300000 }, async () => {
  await few.leave();
  await many.leave();
});
