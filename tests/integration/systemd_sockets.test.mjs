// Where the listening sockets come from: systemd's socket unit, its store.
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { build, Cluster } from './lib/cluster.mjs';
import { freePort } from './lib/port.mjs';
import { Supervisor } from './lib/supervisor.mjs';
import { DEADLINE, until, withDeadline } from './lib/wait.mjs';

const dir = mkdtempSync(join(tmpdir(), 'pw-sockets.'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

function service(name, conf, supervise, fn) {
  test(name, { timeout: 120000 }, async () => {
    const c = await Cluster.start(conf, { supervise });
    try {
      await fn(c);
    } finally {
      const exit = await c.stop();
      await c.cleanUp();
      assert.deepEqual(exit, { code: 0, signal: null });
    }
  });
}

// The service anew; what happened meanwhile.
async function restart(c, conf) {
  const since = c.systemd.mark();
  c.configure(conf);
  c.systemd.command('restart');
  await c.systemd.has(/^READY=1$/, since, 2 * DEADLINE);
  const { port } = await c.ready();
  c.url = `http://127.0.0.1:${port}`;
  return since();
}

const names = (events, event) => events.filter((e) => e.event === event).map((e) => e.name).sort();
const passed = (events) => events.find((e) => e.event === 'started').fds.toSorted();

async function talk(c) {
  const { a, b, match } = await c.pair();
  const [ca, cb] = [await c.connect(a), await c.connect(b)];
  const { messageId } = await ca.send(match, 'x');
  await cb.got('message:new', (m) => m.id === messageId);
  c.closeClients();
}

service('socket activation: a socket for each worker', { server: { port: 1 } },
  ['--activate', '127.0.0.1', '--port', '0', '--sockets', '2'], async (c) => {
    const { port } = c.systemd.events.find((e) => e.event === 'activated');
    assert.equal((await c.status()).port, port);
    await talk(c);
    const client = await c.connect(await c.user(), { reconnect: true });
    const back = until(client.socket, 'connect', undefined, 2 * DEADLINE);
    const since = c.systemd.mark();
    c.systemd.command('kill-main');
    await back;
    await c.ready();
    assert.deepEqual(passed(since()), ['pairwire.socket', 'pairwire.socket']);
    assert.deepEqual(names(c.systemd.events, 'stored'), [], 'they are systemd\'s already');
    assert.match(readFileSync(c.log, 'utf8'), new RegExp(`systemd listens for us; listen and port do not count: sockets=2 address=127\\.0\\.0\\.1:${port}\n`));
  });

// Does not start: what it says.
async function refused(conf, supervise) {
  const file = join(dir, 'pairwire.conf');
  const log = join(dir, 'log');
  writeFileSync(file, Object.entries(conf).map(([section, keys]) =>
    `[${section}]\n${Object.entries(keys).map(([k, v]) => `${k} = ${v}\n`).join('')}`).join('\n'));
  const fd = openSync(log, 'w');
  const s = new Supervisor(['--restart', '1', ...supervise], [join(build, 'master/pairwire'), '-c', file], { log: fd });
  closeSync(fd);
  try {
    assert.equal(await withDeadline(s.ended, 2 * DEADLINE, 'it gives up'), 1);
    assert.equal(s.events.at(-1).event, 'failed');
    assert.deepEqual(Supervisor.said(s.events), [], 'never READY');
  } finally {
    s.process.kill('SIGKILL');
  }
  return readFileSync(log, 'utf8');
}

test('socket activation: another number of sockets than of workers is an error', async () => {
  const conf = (workers) => ({
    server: { workers, run_dir: dir, admin_listen: '' },
    auth: { jwt_secret: 'x'.repeat(40) },
    directory: { database_url: 'postgresql://nobody@127.0.0.1:1/nothing' },
  });
  for (const [workers, sockets] of [[2, 1], [1, 3]]) {
    const says = await refused(conf(workers), ['--activate', '127.0.0.1', '--port', '0', '--sockets', String(sockets)]);
    assert.match(says, new RegExp(`error +master: systemd passes ${sockets} listening sockets, but there are ${workers} workers: set workers = ${sockets}, or give the socket unit ${workers} ListenStream= lines\n`));
  }
});

service('stored sockets are used again; another port and other workers are seen', {}, [], async (c) => {
  const { url } = c;
  assert.deepEqual(names(c.systemd.events, 'stored'), ['listen-0', 'listen-1']);
  let events = await restart(c, {});
  assert.equal(c.url, url);
  assert.deepEqual(passed(events), ['listen-0', 'listen-1']);
  assert.deepEqual([...names(events, 'stored'), ...names(events, 'removed')], []);
  await talk(c);

  events = await restart(c, { server: { workers: 3 } });
  assert.equal(c.url, url);
  assert.deepEqual(names(events, 'stored'), ['listen-2']);
  assert.deepEqual(names(events, 'removed'), []);

  events = await restart(c, { server: { workers: 1 } });
  assert.equal(c.url, url);
  assert.deepEqual(names(events, 'removed'), ['listen-1', 'listen-2']);
  assert.match(readFileSync(c.log, 'utf8'), /a stored listening socket is closed: there is no worker for it name=listen-2\n/);
  await talk(c);

  const port = await freePort();
  events = await restart(c, { server: { workers: 2, port } });
  assert.equal(c.url, `http://127.0.0.1:${port}`);
  assert.deepEqual(passed(events), ['listen-0']);
  assert.deepEqual(names(events, 'removed'), ['listen-0']);
  assert.deepEqual(names(events, 'stored'), ['listen-0', 'listen-1']);
  await assert.rejects(fetch(`${url}/healthz`), 'nobody listens there any more');

  // the same port, another address: the stored ones make room first
  events = await restart(c, { server: { listen: '0.0.0.0' } });
  assert.deepEqual(names(events, 'removed'), ['listen-0', 'listen-1']);
  assert.equal(c.url, `http://127.0.0.1:${port}`);
  await talk(c);
});

service('without a store it runs as well', {}, ['--store', '0'], async (c) => {
  assert.deepEqual(names(c.systemd.events, 'stored'), []);
  const events = await restart(c, {});
  assert.deepEqual(passed(events), []);
  await talk(c);
});
