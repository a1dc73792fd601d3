// Pairwire as a service of systemd: what it tells, and what it survives.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, isGone, suite } from './lib/cluster.mjs';
import { Supervisor } from './lib/supervisor.mjs';
import { DEADLINE, eventually, slow, standstill, until } from './lib/wait.mjs';

const WATCHDOG = 10000;

// The worker of slot 1 does not start while the gate is closed.
const dir = mkdtempSync(join(tmpdir(), 'pw-gate.'));
const gate = join(dir, 'closed');
process.env.PAIRWIRE_WORKER = join(dir, 'worker');
writeFileSync(process.env.PAIRWIRE_WORKER, `#!/bin/sh
while [ "$1" = 1 ] && [ -e ${gate} ]; do sleep 0.02; done
exec ${join(build, 'worker/pairwire-worker')} "$@"
`);
chmodSync(process.env.PAIRWIRE_WORKER, 0o755);
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

const count = (events, pattern) => events.filter((e) => e.event === 'notify' && pattern.test(e.text)).length;
const monotonicMs = () => Number(process.hrtime.bigint() / 1000000n);

// The service anew, as `systemctl restart` has it.
async function restart(c, conf = {}) {
  const since = c.systemd.mark();
  c.configure(conf);
  c.systemd.command('restart');
  await c.systemd.has(/^READY=1$/, since, 2 * DEADLINE);
  await c.ready();
  return since();
}

// In force when this returns.
async function stuck(c, stuck_timeout) {
  c.configure({ server: { stuck_timeout } });
  await c.ctl('reload');
}

// Asks all the time on new connections; [{ from, to, says }].
function asking(url, n = 4) {
  const port = Number(new URL(url).port);
  const asked = [];
  let over = false;
  const ask = () => new Promise((resolve) => {
    const from = monotonicMs();
    let text = '';
    const done = (says) => { asked.push({ from, to: monotonicMs(), says }); resolve(); };
    const socket = connectTcp(port, '127.0.0.1', () => socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'));
    socket.on('data', (data) => { text += data; });
    socket.on('error', (err) => done(err.code));
    socket.on('end', () => done(text.slice(0, 15)));
  });
  const loops = Array.from({ length: n }, async () => { while (!over) await ask(); });
  return { asked, end: () => { over = true; return Promise.all(loops); } };
}

await suite({ log: { status_interval: '1s' } }, {
  async 'READY comes when every worker serves'(c) {
    writeFileSync(gate, '');
    const since = c.systemd.mark();
    c.systemd.command('restart');
    await c.systemd.has(/^STATUS=starting: 1 of 2 workers$/, since);
    assert.equal((await c.status()).state, 'starting');
    assert.equal(count(since(), /READY/), 0);
    rmSync(gate);
    await c.systemd.has(/^READY=1$/, since);
    await c.systemd.has(/^STATUS=2 of 2 workers, 0 connections, 0 users/, since);
    await c.ready();
    assert.deepEqual(Supervisor.said(since()), ['STOPPING=1', 'READY=1']);
    assert.ok(!since().some((e) => e.event === 'ignored'), 'a worker speaks');
  },

  async 'STATUS tells who serves whom'(c) {
    const [a, b] = [await c.user(), await c.user()];
    const [one, two] = await c.instances();
    for (const [user, on] of [[a, one], [b, two], [b, one]]) await c.connect(user, { on });
    await c.systemd.has(/^STATUS=2 of 2 workers, 3 connections, 3 users$/);
    const since = c.systemd.mark();
    writeFileSync(gate, '');
    process.kill((await c.worker(two)).pid, 'SIGKILL');
    await c.systemd.has(/^STATUS=1 of 2 workers, 2 connections, 2 users$/, since);
    rmSync(gate);
    await c.systemd.has(/^STATUS=2 of 2 workers, /, since);
    await c.ready();
  },

  async 'STATUS tells who drains'(c) {
    const client = await c.connect(await c.user(), { on: (await c.instances())[0] });
    const since = c.systemd.mark();
    await c.ctl('drain', '0');
    await c.systemd.has(/^STATUS=2 of 2 workers, 1 draining, 1 connections, 1 users$/, since);
    client.close();
    await c.systemd.has(/^STATUS=2 of 2 workers, 0 connections, 0 users/, since);
    await c.ready();
    assert.deepEqual(Supervisor.said(since()), [], 'nothing else is told');
  },

  async 'what systemd says to the master stays with him'(c) {
    for (const { pid } of (await c.status()).slots) {
      const names = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').map((v) => v.split('=')[0]);
      assert.ok(names.includes('PATH'));
      assert.deepEqual(names.filter((n) => /^(NOTIFY_SOCKET|WATCHDOG_|LISTEN_)/.test(n)), []);
    }
  },

  async 'a reload is RELOADING, then READY'(c) {
    for (const reload of [() => c.systemd.command('signal 1'), () => c.ctl('reload')]) {
      const since = c.systemd.mark();
      await reload();
      await c.systemd.has(/^READY=1$/, since);
      assert.deepEqual(Supervisor.said(since()), ['RELOADING=1', 'READY=1']);
    }
  },

  async 'an upgrade is RELOADING, then READY; the watchdog and the store go on'(c) {
    const { pid } = c.systemd;
    const since = c.systemd.mark();
    await c.ctl('upgrade');
    await c.systemd.has(/^READY=1$/, since);
    assert.deepEqual(Supervisor.said(since()), ['RELOADING=1', 'READY=1']);
    await c.systemd.has(/^STATUS=2 of 2 workers, /, c.systemd.mark());
    await c.systemd.has(/^WATCHDOG=1$/, c.systemd.mark());
    assert.equal((await c.ready()).pid, pid);
    const killed = c.systemd.mark();
    c.systemd.command('kill-main');
    await c.systemd.has(/^READY=1$/, killed);
    assert.deepEqual(killed().find((e) => e.event === 'started').fds.toSorted(), ['listen-0', 'listen-1']);
    assert.equal(c.url, `http://127.0.0.1:${(await c.ready()).port}`);
  },

  async 'told to stop while it is upgraded: STOPPING is its last word'(c) {
    const since = c.systemd.mark();
    c.systemd.command('signal 12');
    c.systemd.command('restart');
    await c.systemd.has('exited', since);
    const events = since();
    assert.equal(Supervisor.said(events.slice(0, events.findIndex((e) => e.event === 'exited'))).at(-1), 'STOPPING=1');
    await c.systemd.has(/^READY=1$/, () => since().slice(events.length - 1));
    await c.ready();
  },

  async 'a stuck worker is replaced, and the watchdog is fed meanwhile'(c) {
    const [one, two] = await c.instances();
    const other = await c.connect(await c.user(), { on: one });
    const { pid } = await c.worker(two);
    await stuck(c, '5s');
    const since = c.systemd.mark();
    process.kill(pid, 'SIGSTOP');
    await eventually(async () => isGone(pid) && (await c.status()).state === 'ready', 'its replacement');
    await stuck(c, '1m');
    // it is fed every third of its time, which may be longer than all of this
    await c.systemd.has(/^WATCHDOG=1$/, c.systemd.mark());
    assert.ok(!since().some((e) => e.event === 'watchdog'), 'never too late');
    assert.ok(other.connected);
    await c.ready();
  },

  async 'when all workers are stuck and stay so, the watchdog starves'(c) {
    const since = c.systemd.mark();
    const client = await c.connect(await c.user(), { reconnect: true });
    const back = until(client.socket, 'connect', undefined, 2 * DEADLINE);
    for (const { pid } of (await c.status()).slots) process.kill(pid, 'SIGSTOP');
    await c.systemd.has('watchdog', since);
    assert.match(readFileSync(c.log, 'utf8'), /stuck: the watchdog is not fed/);
    await back;
    assert.deepEqual(since().filter((e) => e.event === 'exited').map((e) => e.signal), [6]);
    await c.ready();
  },

  async 'a stuck master is killed and started again'(c) {
    const client = await c.connect(await c.user(), { reconnect: true });
    const since = c.systemd.mark();
    const back = until(client.socket, 'connect', undefined, 2 * DEADLINE);
    c.systemd.command('signal 19');	// SIGSTOP
    await c.systemd.has('watchdog', since);
    await c.systemd.has(/^READY=1$/, since);
    await back;
    assert.deepEqual(since().filter((e) => e.event === 'exited').map((e) => e.signal), [6]);
    await c.ready();
  },

  async 'kill -9 of the master: serving again, nobody refused, nobody who waits reset'(c) {
    const clients = [];
    for (const on of [...await c.instances(), undefined]) clients.push(await c.connect(await c.user(), { on, reconnect: true }));
    const { a, b, match } = await c.pair();
    const before = (await c.status()).slots.map((s) => s.pid);
    const askers = asking(c.url);
    await eventually(() => askers.asked.length > 20, 'answers');
    const since = c.systemd.mark();
    const still = standstill();
    const killed = monotonicMs();
    c.systemd.command('kill-main');
    const back = clients.map((client) => until(client.socket, 'connect', undefined, 2 * DEADLINE));
    const ready = await c.systemd.has(/^READY=1$/, since);
    const lost = still.end();
    assert.ok(ready.at - killed < 2000 * slow + lost, `serving after ${ready.at - killed} ms, ${lost} of them lost`);
    const served = askers.asked.length;
    await eventually(() => askers.asked.length > served + 20, 'answers again');
    await askers.end();
    await Promise.all(back);
    assert.ok(before.every(isGone), 'workers of the old master');
    // what a worker took before it was killed itself dies with it, and it may have
    // done so long after its master; all others wait
    const first = since().slice(0, since().findIndex((e) => e.event === 'started'));
    const gone = Math.max(...first.filter((e) => ['exited', 'leftover'].includes(e.event)).map((e) => e.at));
    assert.ok(gone >= killed);
    assert.deepEqual(askers.asked.filter((q) => q.from > gone && q.says !== 'HTTP/1.1 200 OK'), []);
    assert.deepEqual(askers.asked.filter((q) => /REFUSED/.test(q.says)), []);
    assert.ok(askers.asked.some((q) => q.from < ready.at && q.to > gone && q.says === 'HTTP/1.1 200 OK'), 'somebody waited');
    const events = since().map((e) => e.event);
    assert.deepEqual(events.filter((e) => ['exited', 'started', 'removed', 'stored'].includes(e)), ['exited', 'started']);
    assert.equal(c.url, `http://127.0.0.1:${(await c.ready()).port}`, 'where it was');
    // and it works
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    const { messageId } = await ca.send(match, 'after');
    await cb.got('message:new', (m) => m.id === messageId);
  },

  async 'a restart keeps the connections that wait'(c) {
    const askers = asking(c.url);
    await eventually(() => askers.asked.length > 20, 'answers');
    const events = await restart(c);
    const down = events.find((e) => e.event === 'exited').at;
    const served = askers.asked.length;
    await eventually(() => askers.asked.length > served + 20, 'answers again');
    await askers.end();
    assert.deepEqual(askers.asked.filter((q) => q.from > down && q.says !== 'HTTP/1.1 200 OK'), []);
  },

  async 'a stop that takes longer than TimeoutStopSec asks for it'(c) {
    await restart(c, { server: { stop_timeout: '8s' } });
    const since = c.systemd.mark();
    process.kill((await c.status()).slots[0].pid, 'SIGSTOP');
    c.systemd.command('restart');
    await c.systemd.has(/^STATUS=stopping: 1 workers left$/, since);
    await c.systemd.has(/^READY=1$/, since);
    assert.deepEqual(since().filter((e) => ['timeout', 'exited'].includes(e.event)).map((e) => [e.event, e.status]), [['exited', 0]]);
    assert.ok(count(since(), /^EXTEND_TIMEOUT_USEC=\d+$/) >= 3);
    await c.ready();
  },
}, undefined, { supervise: ['--watchdog', String(WATCHDOG), '--stop', '5000'] });
