// The system that tests/booted has booted, from outside. Node.js runs in its network
// and nowhere else; commands run in all of it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { pg } from '../faults/lib/packages.mjs';
import { eventually } from '../integration/lib/wait.mjs';

const PID = process.env.PW_BOOT_PID;
export const URL_ = 'http://127.0.0.1:3001';
export const SECRET = 'known to the tests and to nobody else';
export const DATABASE = 'postgresql://pairwire:secret@127.0.0.1/app';
// pushd's, where there is no provider.
export const DRY_RUN = ['[Service]', 'ExecStart=', 'ExecStart=/usr/sbin/pairwire-pushd --dry-run -c /etc/pairwire/pairwire.conf'];
// The journal's place when the first boot ended.
export const MARK = '/var/tmp/mark';
const COMMAND_MS = 240000;

// What a shell there prints for this. Rejects with { code, stdout, stderr } unless
// it succeeds. user: not root; input: for its standard input.
export function sh(script, { user, input = '' } = {}) {
  const as = user ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups'] : [];
  const child = spawn('nsenter', ['-t', PID, '-a', '-r', '-w', 'env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    'LC_ALL=C.UTF-8', 'HOME=/root', 'DEBIAN_FRONTEND=noninteractive', 'SYSTEMD_COLORS=0', 'SYSTEMD_PAGER=', ...as, 'sh', '-ec', script],
  { timeout: COMMAND_MS, killSignal: 'SIGKILL' });
  const out = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => { out[name] += text; });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(out.stdout);
      else reject(Object.assign(new Error(`${script}: ${signal ?? code}\n${out.stdout}${out.stderr}`), { code, ...out }));
    });
  });
}

// Of a command that must fail.
export async function refused(script, options) {
  return sh(script, options).then((text) => assert.fail(`${script} succeeds: ${text}`), (err) => {
    if (err.code === undefined) throw err;
    return err;
  });
}

// A unit's properties.
export async function show(unit, ...names) {
  const text = await sh(`systemctl show ${unit} ${names.map((n) => `-p ${n}`).join(' ')}`);
  return Object.fromEntries(text.trim().split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

export const mainPid = async (unit = 'pairwire') => (await show(unit, 'MainPID')).MainPID;
export const status = async () => JSON.parse(await sh('pairwirectl --json status'));
export const ready = () => eventually(async (note) => {
  const s = await status().catch((err) => note(err.message));
  note(s?.state);
  return s?.state === 'ready' && s;
}, 'pairwire serves', 90000);

// Entries of the journal; args as journalctl has them. since: a cursor, of which only
// what comes later is wanted. (With a filter --after-cursor leaves out one too many.)
export async function journal(args, since) {
  const from = since ? `--cursor='${since}'` : '';
  const text = await sh(`journalctl --sync; journalctl -o json --all ${from} ${args}`);
  return text.split('\n').filter((line) => line).map((line) => JSON.parse(line)).filter((e) => e.__CURSOR !== since);
}
// The journal's place now.
export async function cursor() {
  return (await journal('-n 1'))[0].__CURSOR;
}
export const logged = (since, pattern, args = '-u pairwire') => eventually(async (note) => {
  const all = await journal(args, since);
  note(all.at(-1)?.MESSAGE);
  return all.find((e) => pattern.test(e.MESSAGE));
}, `${pattern} in the journal`, 90000);

export async function write(file, text) {
  await sh(`mkdir -p "$(dirname ${file})"; cat >${file}`, { input: text });
}
// `systemctl edit`: a drop-in. Lines undefined: none any more.
export async function edit(unit, lines) {
  const file = `/etc/systemd/system/${unit}.d/test.conf`;
  if (lines === undefined) await sh(`rm -f ${file}; systemctl daemon-reload`);
  else {
    await write(file, `${lines.join('\n')}\n`);
    await sh('systemctl daemon-reload');
  }
}
// Keys of pairwire.conf, as an editor would set them.
export async function configure(keys) {
  for (const [key, value] of Object.entries(keys)) {
    await sh(`grep -q '^${key} =' /etc/pairwire/pairwire.conf; sed -i 's|^${key} =.*|${key} = ${value}|' /etc/pairwire/pairwire.conf`);
  }
}

// As Fleet (tests/operations) wants a cluster.
export function cluster() {
  const pool = new pg.Pool({ connectionString: DATABASE });
  return { url: URL_, secret: SECRET, pg: pool, end: () => pool.end() };
}
