// The operator's week in two minutes: 2,000 clients of 1,000 pairs chat while the
// configuration is reloaded ten times, the programs are upgraded three times,
// each worker is restarted, and an upgrade goes wrong. No connection is lost before
// its worker drained, nobody who connects is refused, and the books balance.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { balance } from '../faults/lib/books.mjs';
import { stored } from '../faults/lib/stored.mjs';
import { build, Cluster } from '../integration/lib/cluster.mjs';
import { eventually, standstill } from '../integration/lib/wait.mjs';
import { Fleet } from './lib/fleet.mjs';
import { Knocker } from './lib/knocker.mjs';

const PAIRS = 1000;
const INTERVAL_MS = 5000;	// of a sender: 400 messages a second in all
const FLOW = 400;
const DRAIN_MS = 2000;
const SPREAD_MS = 8000;
const PROGRAMS = ['master/pairwire', 'worker/pairwire-worker'];

// As a package puts them there: the name changes hands in one step.
function install(dir, from, name) {
  const to = join(dir, basename(name));
  copyFileSync(from, `${to}.new`);
  chmodSync(`${to}.new`, 0o755);
  renameSync(`${to}.new`, to);
}

let cluster;
let fleet;
let knocker;
let bin;

after(async () => {
  await knocker?.stop();
  fleet?.close();
  if (!cluster) return;
  assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
  await cluster.cleanUp();
});

// Nothing that nobody asked for has happened, and messages flow.
async function allIsWell() {
  await fleet.flows(FLOW);
  assert.deepEqual(fleet.unasked().slice(0, 5), [], 'connections lost');
  assert.deepEqual(fleet.refused.slice(0, 5), [], 'connects refused');
  assert.deepEqual(knocker.failures.slice(0, 5), [], 'requests without an answer');
}

// The workers that drain let go of their clients, who come back elsewhere.
async function drained() {
  await eventually(async (note) => {
    const { draining } = await cluster.status();
    note(draining.map((d) => [d.instance, d.stats.connections]));
    return draining.length === 0;
  }, 'the drained workers are gone', DRAIN_MS + SPREAD_MS + 60000);
  await fleet.all();
  const now = new Set(await cluster.instances());
  for (const i of fleet.instances()) assert.ok(now.has(i), `instance ${i} serves`);
}

// Of those whose worker went, each came back where he was, and they did not all
// leave at once: between the first and the last tenth of them there was a part of
// the time, and no tenth of it saw more than a third of them, but for those whose
// time came while the machine stood still.
function spread(since, still) {
  const lost = still.end();
  const times = fleet.lost.filter(({ at }) => at >= since).map(({ at }) => at);
  assert.ok(times.length > PAIRS / 4, `${times.length} were moved`);
  times.sort((a, b) => a - b);
  const [first, last] = [0.1, 0.9].map((part) => times[Math.floor(part * times.length)]);
  assert.ok(last - first > SPREAD_MS / 5, `all at once: in ${last - first} ms`);
  const slices = new Map();
  for (const at of times) {
    const slice = Math.floor((at - since) / (SPREAD_MS / 10));
    slices.set(slice, (slices.get(slice) ?? 0) + 1);
  }
  assert.ok(Math.max(...slices.values()) < times.length * (1 / 3 + lost / SPREAD_MS),
    `not all at once: ${JSON.stringify([...slices])}, ${lost.toFixed(0)} ms lost`);
}

test('2,000 clients join and chat', { timeout: 240000 }, async () => {
  cluster = await Cluster.start({
    server: { drain_timeout: `${DRAIN_MS}ms`, drain_spread: `${SPREAD_MS}ms` },
    // sessions of those who only knock end soon; nothing else is short, for on a busy
    // machine all of these clients may stand still for seconds
    engine: { connect_timeout: '20s', keepalive_timeout: '10s', ping_timeout: '2m', upgrade_timeout: '1m' },
    chat: { offline_grace: '2m', delivery_timeout: '2m' },
  }, {
    // installed in a place of their own, to be replaced there
    programs(dir) {
      bin = join(dir, 'bin');
      mkdirSync(bin);
      for (const name of PROGRAMS) install(bin, join(build, name), name);
      return { master: join(bin, 'pairwire'), worker: join(bin, 'pairwire-worker') };
    },
  });
  fleet = await Fleet.join(cluster, PAIRS, INTERVAL_MS);
  fleet.chat();
  knocker = new Knocker(Number(new URL(cluster.url).port), 10);
  await allIsWell();
});

test('ten reloads change what they should and disturb nobody', { timeout: 240000 }, async () => {
  const lost = fleet.lost.length;
  const limit = fleet.ledger.problems.length;
  for (let n = 1; n <= 10; n++) {
    cluster.configure({ chat: { content_max: 4000 + n } });
    const answer = JSON.parse(await cluster.ctl('reload', '--json'));
    assert.deepEqual(answer.live, ['content_max']);
    await fleet.flows(20);
  }
  await allIsWell();
  assert.equal(fleet.lost.length, lost);
  assert.equal(fleet.ledger.problems.length, limit);
});

test('upgrades to broken programs change nothing', { timeout: 240000 }, async () => {
  const { pid, slots } = await cluster.status();
  const before = slots.map((s) => s.instance);
  for (const [name, good] of PROGRAMS.map((p) => [basename(p), join(build, p)])) {
    writeFileSync(join(bin, `${name}.new`), '#!/bin/sh\necho >&2 does not even start\nexit 3\n');
    chmodSync(join(bin, `${name}.new`), 0o755);
    renameSync(join(bin, `${name}.new`), join(bin, name));
    await assert.rejects(cluster.ctl('upgrade'), (err) => err.code === 1 && err.stderr.length > 10);
    install(bin, good, name);
    const status = await cluster.status();
    assert.equal(status.pid, pid);
    assert.deepEqual(status.slots.map((s) => s.instance), before);
  }
  await allIsWell();
});

test('three upgrades: clients stay until their worker has drained, and come back where they were', { timeout: 400000 }, async () => {
  const { pid, boot } = await cluster.status();
  const since = Date.now() + DRAIN_MS;
  const still = standstill();
  for (let n = 1; n <= 3; n++) {
    const old = await cluster.instances();
    for (const name of PROGRAMS) install(bin, join(build, name), name);
    fleet.release(old, Date.now() + DRAIN_MS);
    await cluster.ctl('upgrade');
    const now = await cluster.status();
    assert.equal(now.pid, pid);
    assert.equal(now.boot, boot);
    assert.equal(now.upgrade.state, 'done');
    for (const s of now.slots) assert.ok(!old.includes(s.instance), 'a new worker');
    // the second one meets the first one's draining workers
    if (n > 1) await drained();
    await allIsWell();
  }
  spread(since, still);
});

test('each worker is restarted', { timeout: 240000 }, async () => {
  for (const { slot, instance } of (await cluster.status()).slots) {
    const since = Date.now();
    const still = standstill();
    fleet.release([instance], since);
    await cluster.ctl('restart', String(slot));
    await drained();
    await allIsWell();
    spread(since, still);
  }
});

test('the books balance', { timeout: 240000 }, async () => {
  fleet.hush();
  const row = { repeats: false, store: false, dies: false };
  const none = [{ master: 0, workers: 0 }];
  const books = await eventually(async (note) => {
    const rows = await stored({ postgres: { url: cluster.databaseUrl } });
    const b = balance({ row, ledger: fleet.ledger, rows, before: none, after: none, untrue: [], busy: [], leavers: fleet.users.map((u) => u.device) });
    note(b.findings);
    return b.findings.length === 0 && b;
  }, 'the books balance', 60000);
  await knocker.stop();
  assert.deepEqual(knocker.failures, []);
  assert.equal(await cluster.redis.xLen('push_notifications'), 0, 'nobody was away long enough for a push');
  const { line } = books;
  console.log(`figure: ${line.sent} messages sent, ${line.stored} stored, ${line.received} received; ${fleet.lost.length} connections moved, `
    + `${line.recovered} recovered; ${knocker.answered} new connections answered, the slowest after ${knocker.slowest} ms`);
});
