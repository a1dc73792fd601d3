// What the journal gets of the daemons' log lines: systemd's native protocol,
// heard at the journal's own socket.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { build } from './lib/cluster.mjs';
import { DEADLINE, eventually, withDeadline } from './lib/wait.mjs';

const PLACE = '/run/systemd/journal';
const skip = existsSync(PLACE) ? 'a journal runs here' : process.getuid() !== 0 && `only root makes ${PLACE}`;

const dir = mkdtempSync(join(tmpdir(), 'pw-journal.'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

// Each datagram as a line of hexadecimal.
const LISTEN = `
  use Socket;
  socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
  bind($s, sockaddr_un($ARGV[0])) or die "bind: $!";
  $| = 1;
  print "listening\\n";
  while (defined recv($s, my $text, 65536, 0)) { print unpack('H*', $text), "\\n" }`;

async function journal(t) {
  mkdirSync(PLACE, { recursive: true });
  const process_ = spawn('perl', ['-e', LISTEN, `${PLACE}/socket`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const tidy = () => { process_.kill('SIGKILL'); rmSync(PLACE, { recursive: true, force: true }); };
  process.on('exit', tidy);
  t.after(tidy);
  const entries = [];
  const lines = createInterface({ input: process_.stdout });
  await withDeadline(once(lines, 'line'), DEADLINE, 'a socket');
  lines.on('line', (hex) => entries.push(parse(Buffer.from(hex, 'hex'))));
  return entries;
}

// NAME=value\n, or NAME\n, eight bytes of length, value\n.
function parse(bytes) {
  const fields = {};
  while (bytes.length > 0) {
    const line = bytes.subarray(0, bytes.indexOf(10)).toString();
    if (line.includes('=')) {
      fields[line.slice(0, line.indexOf('='))] = line.slice(line.indexOf('=') + 1);
      bytes = bytes.subarray(Buffer.byteLength(line) + 1);
    } else {
      const at = Buffer.byteLength(line) + 1;
      const n = Number(bytes.readBigUInt64LE(at));
      fields[line] = bytes.subarray(at + 8, at + 8 + n).toString();
      bytes = bytes.subarray(at + 8 + n + 1);
    }
  }
  return fields;
}

let daemons = 0;

// With standard error in a file, which JOURNAL_STREAM says is the journal - or
// something else is.
function daemon(t, stream, program, ...args) {
  const errors = join(dir, `stderr-${++daemons}`);
  const d = spawn('sh', ['-c', `exec 2>${errors}; JOURNAL_STREAM=${stream ?? '$(stat -Lc %d:%i /proc/self/fd/2)'} exec "$@"`, 'sh', join(build, program), ...args],
    { stdio: 'ignore', env: { ...process.env, PAIRWIRE_WORKER: join(build, 'worker/pairwire-worker') } });
  t.after(() => d.kill('SIGKILL'));
  d.ended = once(d, 'exit');
  d.log = () => (existsSync(errors) ? readFileSync(errors, 'utf8') : '');
  return d;
}

const conf = join(dir, 'pairwire.conf');
writeFileSync(conf, `[server]
listen = 127.0.0.1
port = 0
workers = 1
run_dir = ${dir}
admin_listen = 127.0.0.1:0
[auth]
jwt_secret = ${'x'.repeat(40)}
[directory]
database_url = postgresql://nobody@127.0.0.1:1/nothing
[redis]
redis_port = 1
[pushd]
pushd_listen = 127.0.0.1:0
`);

async function stop(d) {
  d.kill('SIGTERM');
  assert.deepEqual(await withDeadline(d.ended, DEADLINE, 'it ends'), [0, null]);
}

test('lines of all daemons are entries of the journal', { skip, timeout: 120000 }, async (t) => {
  const entries = await journal(t);
  const found = (fields) => eventually((note) => {
    note(entries.at(-1));
    return entries.find((e) => Object.entries(fields).every(([k, v]) => (v instanceof RegExp ? v.test(e[k]) : e[k] === v)));
  }, `an entry ${JSON.stringify(fields)}`);

  const d = daemon(t, undefined, 'master/pairwire', '-c', conf);
  const started = await found({ SYSLOG_IDENTIFIER: 'pairwire', MESSAGE: /^worker started: / });
  assert.match(started.MESSAGE, /^worker started: slot=0 instance=\d+ pid=\d+$/);
  const [, instance, pid] = /instance=(\d+) pid=(\d+)/.exec(started.MESSAGE);
  assert.deepEqual(started, { ...started, PRIORITY: '6', PW_PROCESS: 'master', PW_SLOT: '0', PW_INSTANCE: instance, PW_PID: pid });
  const serving = await found({ SYSLOG_IDENTIFIER: 'pairwire-worker', MESSAGE: /^serving / });
  assert.deepEqual(serving, { ...serving, PRIORITY: '6', PW_PROCESS: `worker[${instance}]`, PW_WORKER: instance, PW_SLOT: '0', PW_PID: pid });
  await found({ SYSLOG_IDENTIFIER: 'pairwire-worker', PRIORITY: '4' });
  await stop(d);
  await found({ MESSAGE: 'stopped', PW_PROCESS: 'master' });
  assert.equal(d.log(), '', 'and nothing beside it');

  const p = daemon(t, undefined, 'pushd/pairwire-pushd', '--dry-run', '-c', conf);
  const ready = await found({ SYSLOG_IDENTIFIER: 'pairwire-pushd', MESSAGE: /^ready \(dry run\): / });
  assert.deepEqual(ready, { ...ready, PRIORITY: '6', PW_PROCESS: 'pushd' });
  assert.ok('PW_NAME' in ready);
  await stop(p);
  assert.equal(p.log(), '');
});

// By its entry's process, which has ended by then, the journal might not find out
// whose it is.
test('why one does not start is a line of its unit', { skip, timeout: 120000 }, async (t) => {
  const entries = await journal(t);
  const bad = join(dir, 'bad.conf');
  writeFileSync(bad, '[server]\nport = x\n');
  for (const [program, who] of [['master/pairwire', 'master'], ['pushd/pairwire-pushd', 'pushd']]) {
    const d = daemon(t, undefined, program, '-c', bad);
    assert.deepEqual(await withDeadline(d.ended, DEADLINE, 'it ends'), [78, null]);
    assert.match(d.log(), new RegExp(`^<3>${who}: .*bad\\.conf:2: port: .*\n$`));
  }
  assert.deepEqual(entries.filter((e) => e.PRIORITY === '3'), []);
});

// systemd tries it again: by then it may be mounted, or readable.
test('a file that cannot be read is no mistake in it', { timeout: 120000 }, async (t) => {
  const [master, pushd] = ['master/pairwire', 'pushd/pairwire-pushd'];
  const key = `[auth]\njwt_public_key_file = /nowhere/key.pem\n[directory]\ndatabase_url = postgresql://u@127.0.0.1/d\n`;
  const auth = '[auth]\njwt_secret = x\n[directory]\ndatabase_url = postgresql://u@127.0.0.1/d\n';
  for (const [program, text, status, ...args] of [
    [master, undefined, 1],
    [pushd, undefined, 1],
    [master, key, 1],
    [pushd, `${auth}[pushd]\npush_apps = /nowhere/apps\n`, 1],
    [pushd, `${auth}[pushd]\npush_templates = /nowhere/texts\n`, 1],
    [pushd, `${auth}[pushd]\nfcm_credentials = /nowhere/fcm.json\n`, 1],
    [pushd, auth, 78],
    [pushd, `${auth}[push]\npush_queue_url = kafka://127.0.0.1:1?client.id=x&linger.ms=soon\n`, 78, '--dry-run'],
  ]) {
    const file = join(dir, 'read.conf');
    rmSync(file, { force: true });
    if (text !== undefined) writeFileSync(file, text);
    const d = daemon(t, '1:1', program, '-c', file, ...args);
    assert.deepEqual(await withDeadline(d.ended, DEADLINE, 'it ends'), [status, null], d.log());
  }
  for (const program of [master, pushd]) {
    process.env.CREDENTIALS_DIRECTORY = '/dev/null';
    const d = daemon(t, '1:1', program, '-c', conf);
    delete process.env.CREDENTIALS_DIRECTORY;
    assert.deepEqual(await withDeadline(d.ended, DEADLINE, 'it ends'), [1, null], d.log());
  }
});

test('elsewhere lines go to standard error', { skip, timeout: 120000 }, async (t) => {
  const entries = await journal(t);
  const d = daemon(t, '1:1', 'master/pairwire', '-c', conf);
  await eventually(() => /worker\[\d+\]: serving slot=0/.test(d.log()), 'a line');
  await stop(d);
  assert.deepEqual(entries, []);
});

test('a journal that is not there takes nothing', { timeout: 120000, skip: existsSync(PLACE) && 'it is there' }, async (t) => {
  const d = daemon(t, undefined, 'master/pairwire', '-c', conf);
  await eventually(() => /worker\[\d+\]: serving slot=0/.test(d.log()), 'a line');
  await stop(d);
});
