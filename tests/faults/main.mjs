// Plays rows, several at once, and prints the table. See tests/faults/run.
import { fork } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROWS } from './lib/rows.mjs';
import { Postgres } from './lib/servers.mjs';
import { header, line } from './lib/table.mjs';

const { values: options } = parseArgs({
  options: {
    build: { type: 'string', default: 'build-tests' },
    store: { type: 'string' }, row: { type: 'string' }, from: { type: 'string' },
    rounds: { type: 'string', default: '1' }, jobs: { type: 'string', default: '4' },
    rate: { type: 'string' }, logs: { type: 'string' },
  },
});

const slow = Number(process.env.PW_TEST_SLOW || 1);
// Longer than any row takes that says itself what went wrong.
const ROW_MS = 300000 * slow;
// Messages a second of each sender. FerretDB takes its time.
const RATE = { pg: 5, mongo: 0.6 };
const STORES = ['pg', 'mongo'];
// Rows of a store at once: FerretDB takes a processor.
const AT_ONCE = { pg: Infinity, mongo: 2 };

function jobsOf() {
  const all = ROWS.flatMap((row) => (row.stores ?? STORES).map((store) => ({ row: row.name, store, name: `${row.name}/${store}` })));
  const is = (wanted) => (job) => job.name === wanted || job.row === wanted;
  const known = (wanted) => {
    if (wanted && !all.some(is(wanted))) throw new Error(`no row ${wanted}: ${all.map((j) => j.name).join(' ')}`);
    return wanted;
  };
  const first = known(options.from) ? all.findIndex(is(options.from)) : 0;
  const chosen = all.filter((job) => (!options.store || job.store === options.store) && (!known(options.row) || is(options.row)(job)));
  return { chosen, first: chosen.filter((job) => all.indexOf(job) >= first) };
}

const scratch = mkdtempSync(join(tmpdir(), 'pwf.'));
chmodSync(scratch, 0o755);	// for PostgreSQL's user
const logs = resolve(options.logs ?? join(tmpdir(), `pw-faults.${process.pid}`));
const running = new Map();	// processes, and what they play
let passed = 0;
let failed = 0;
const oldest = () => [...running.values()][0]?.name;
process.on('exit', () => {
  for (const child of running.keys()) child.kill('SIGKILL');
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  process.on(signal, () => {
    console.log(`${signal}: ${passed} passed, ${failed} failed so far; --from ${oldest()} goes on`);
    process.exit(1);
  });
}

const build = resolve(options.build);
for (const program of ['master/pairwire', 'worker/pairwire-worker', 'tests/faults/push_reader']) {
  if (!existsSync(join(build, program))) throw new Error(`${join(build, program)} is not built`);
}

function play(job, dir) {
  mkdirSync(dir);
  const spec = { ...job, dir, template: join(scratch, 'template'), build, interval: 1000 / Number(options.rate ?? RATE[job.store]) };
  return new Promise((done) => {
    const child = fork(new URL('row.mjs', import.meta.url).pathname, [JSON.stringify(spec)]);
    const begin = Date.now();
    let result;
    const late = setTimeout(() => child.kill('SIGKILL'), ROW_MS);
    running.set(child, job);
    child.on('message', (message) => { result = message; });
    child.once('exit', (code, signal) => {
      clearTimeout(late);
      running.delete(child);
      done(result ?? { line: {}, findings: [`the row ended without a word: ${signal ?? code}`], seconds: (Date.now() - begin) / 1000 });
    });
  });
}

async function one(job, round) {
  const dir = join(scratch, `${round}-${job.row}-${job.store}`);
  const result = await play(job, dir);
  const ok = result.findings.length === 0;
  console.log(line({ ...job, round, ok, ...result }));
  if (ok) {
    passed++;
  } else {
    failed++;
    const saved = join(logs, `${round}-${job.row}-${job.store}`);
    cpSync(dir, saved, { recursive: true, filter: (path) => path === dir || /\.(log|conf)$/.test(path) });
    for (const text of result.findings) console.log(`    ${text.replaceAll('\n', '\n    ')}`);
    console.log(`    logs: ${saved}`);
  }
  // its owner may be another user, of a server that is ending
  rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

const { chosen, first } = jobsOf();
mkdirSync(logs, { recursive: true });
await Postgres.template(join(scratch, 'template'), join(logs, 'initdb.log'));
console.log(header());
for (let round = 1; round <= Number(options.rounds); round++) {
  const queue = round === 1 ? [...first] : [...chosen];
  const playing = { pg: 0, mongo: 0 };
  const next = () => {
    const i = queue.findIndex(({ store }) => playing[store] < AT_ONCE[store]);
    return i === -1 ? undefined : queue.splice(i, 1)[0];
  };
  await Promise.all(Array.from({ length: Number(options.jobs) }, async () => {
    for (let job = next(); job; job = next()) {
      playing[job.store]++;
      await one(job, round);
      playing[job.store]--;
    }
  }));
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
