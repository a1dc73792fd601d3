// Workers and masters that die, and what the control tool tells.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isGone, suite } from './lib/cluster.mjs';
import { eventually, until } from './lib/wait.mjs';

// The service's grace, for a test that is not to wait long for it.
async function grace(c, offline_grace) {
  c.configure({ chat: { offline_grace } });
  await c.ctl('reload');
}

await suite({ chat: { offline_grace: '1m' } }, {
  async 'status tells workers, their state and their numbers'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const clients = [await c.connect(a, { on: one }), await c.connect(b, { on: two })];
    await clients[0].send(match, 'x');
    await clients[1].got('message:new');
    const status = await c.status();
    assert.equal(c.url, `http://127.0.0.1:${status.port}`);
    assert.equal(status.slots.length, 2);
    for (const w of status.slots) {
      assert.equal(w.state, 'ready');
      assert.ok(!isGone(w.pid));
      assert.equal(w.stats.sockets, 1);
      assert.equal(w.stats.users, 1);
    }
    assert.equal(new Set(status.slots.map((w) => w.pid)).size, 2);
    const text = await c.ctl('status');
    for (const w of status.slots) assert.ok(text.includes(String(w.pid)), text);
  },

  async 'pairwire -t checks a file and says where it is wrong'(c) {
    const check = (file) => new Promise((resolve) => {
      execFile(c.master.spawnfile, ['-t', '-c', file], (err, out, errors) => resolve([err?.code ?? 0, out + errors]));
    });
    assert.deepEqual(await check(c.file), [0, `${c.file}: ok\n`]);
    const bad = `${c.file}.bad`;
    writeFileSync(bad, '[server]\nport = x\n');
    const [status, says] = await check(bad);
    assert.equal(status, 1);
    assert.match(says, /\.bad:2: port: .*\n$/);
  },

  async 'it runs without any privilege'(c) {
    // as root: as nobody, with programs and a run_dir that nobody can reach
    const dir = mkdtempSync(join(tmpdir(), 'pw-it.'));
    const [master, worker, ctl] = ['pairwire', 'pairwire-worker', 'pairwirectl'].map((name) => join(dir, name));
    const built = dirname(dirname(c.master.spawnfile));
    for (const [from, to] of [['master/pairwire', master], ['worker/pairwire-worker', worker], ['ctl/pairwirectl', ctl]]) {
      copyFileSync(join(built, from), to);
      chmodSync(to, 0o755);
    }
    const run = join(dir, 'run');
    mkdirSync(run, 0o700);
    const file = join(dir, 'pairwire.conf');
    writeFileSync(file, readFileSync(c.file, 'utf8').replace(/^run_dir = .*$/m, `run_dir = ${run}`));
    chmodSync(dir, 0o755);
    const nobody = process.getuid() === 0 ? 65534 : process.getuid();
    const id = process.getuid() === 0 ? { uid: nobody, gid: nobody } : {};
    if (process.getuid() === 0) { chownSync(run, nobody, nobody); chownSync(file, nobody, nobody); }
    const child = spawn(master, ['-c', file], { ...id, env: { ...process.env, PAIRWIRE_WORKER: worker }, stdio: 'ignore' });
    const ended = new Promise((resolve) => { child.once('exit', resolve); });
    try {
      const status = await eventually(() => new Promise((resolve) => {
        execFile(ctl, ['-c', file, 'status', '--json'], id, (err, out) => resolve(!err && JSON.parse(out).state === 'ready' && JSON.parse(out)));
      }), 'ready');
      assert.equal((await fetch(`http://127.0.0.1:${status.port}/healthz`)).status, 200);
      for (const w of status.slots) assert.equal(statSync(`/proc/${w.pid}`).uid, nobody);
    } finally {
      child.kill('SIGTERM');
      assert.equal(await ended, 0);
      rmSync(dir, { recursive: true });
    }
  },

  async 'user tells where a user is'(c) {
    const { a, b } = await c.pair();
    const [one, two] = await c.instances();
    const phone = await c.connect(a, { on: one });
    const tablet = await c.connect(a, { on: two });
    const there = await c.ctl('user', a);
    for (const device of [phone, tablet]) assert.ok(there.includes(device.socket.id), there);
    assert.ok(!there.includes(phone.manager.engine.id), 'the engine id is a secret');
    const away = await c.ctl('user', b);
    assert.ok(!away.includes(phone.socket.id), away);
  },

  async 'a killed worker is replaced at once, and others\' clients stay'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a, { on: one, reconnect: true });
    const cb = await c.connect(b, { on: two });
    const victim = await c.worker(one);
    const engine = ca.manager.engine.id;
    const log = readFileSync(c.log, 'utf8').length;
    process.kill(victim.pid, 'SIGKILL');
    const lost = until(ca.socket, 'disconnect');
    const back = await eventually(async (note) => {
      const status = await c.status();
      note(status.slots);
      return status.slots.find((w) => w.slot === victim.slot && w.pid !== victim.pid && w.state === 'ready');
    }, 'a new worker');
    assert.doesNotMatch(readFileSync(c.log, 'utf8').slice(log), /next_start_in_ms=/, 'nothing is waited for');
    assert.notEqual(back.instance, one, 'an instance number is never used again');
    await lost;
    if (!ca.connected) await until(ca.socket, 'connect');
    assert.notEqual(ca.manager.engine.id, engine);
    assert.ok(cb.connected);
    assert.equal(cb.instance, two);
    await c.ready();
    // both ways, by whichever worker
    const { messageId } = await ca.send(match, 'after');
    await cb.got('message:new', (m) => m.id === messageId);
    const reply = await cb.send(match, 'reply');
    await ca.got('message:new', (m) => m.id === reply.messageId);
    // it came back within the grace: nobody was told otherwise
    assert.deepEqual(cb.all('user:status', (s) => !s.online), []);
  },

  async 'presence of a killed worker\'s users heals'(c) {
    const { a, b } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a, { on: one });
    const cb = await c.connect(b, { on: two });
    await grace(c, '1s');
    const lost = until(ca.socket, 'disconnect');
    process.kill((await c.worker(one)).pid, 'SIGKILL');
    await lost;
    await cb.got('user:status', (s) => s.userId === a && !s.online);
    assert.equal(await c.redis.sIsMember('online:users', a), false);
    await c.ready();
  },

  async 'every worker killed at once'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a, { reconnect: true });
    const cb = await c.connect(b, { reconnect: true });
    const { messageId } = await ca.send(match, 'before');
    await cb.got('message:new', (m) => m.id === messageId);
    const old = (await c.status()).slots;
    for (const w of old) process.kill(w.pid, 'SIGKILL');
    await Promise.all([ca, cb].map((client) => until(client.socket, 'connect')));
    await c.ready();
    const again = await ca.send(match, 'after');
    await cb.got('message:new', (m) => m.id === again.messageId);
    assert.deepEqual((await c.store.messages(match)).map((r) => r.content), ['before', 'after']);
  },

  // The last one: there is no master after it.
  async 'workers of a killed master exit'(c) {
    const client = await c.connect(await c.user());
    const pids = (await c.status()).slots.map((w) => w.pid);
    c.master.kill('SIGKILL');
    await until(client.socket, 'disconnect');
    await eventually(() => pids.every(isGone), 'all workers gone');
    const port = Number(new URL(c.url).port);
    await assert.rejects(new Promise((resolve, reject) => {
      connectTcp(port, '127.0.0.1').once('connect', resolve).once('error', reject);
    }), { code: 'ECONNREFUSED' });
  },
}, { code: null, signal: 'SIGKILL' });
