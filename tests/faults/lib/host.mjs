// A host of the cluster: a master with its workers, told apart by node name,
// run_dir and port.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isGone } from '../../integration/lib/gone.mjs';
import { eventually } from '../../integration/lib/wait.mjs';
import { freePort, Program, rss } from './process.mjs';
import { UP } from './settings.mjs';

const run = promisify(execFile);

// Works in programs with threads. Reads the file at each look at the clock, and
// leaves the monotonic clock alone, as a step does.
function faketime(file) {
  const lib = readdirSync('/usr/lib', { withFileTypes: true })
    .filter((e) => e.isDirectory()).map((e) => join('/usr/lib', e.name, 'faketime', 'libfaketimeMT.so.1'));
  return { LD_PRELOAD: lib.join(':'), FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}

export class Host {
  // settings: { section: { key: value } }; clock: its own, to be stepped.
  static async create(name, dir, build, settings, { clock = false } = {}) {
    const h = new Host();
    Object.assign(h, { name, build, dir: join(dir, name), log: join(dir, `${name}.log`), port: await freePort() });
    mkdirSync(h.dir);
    h.file = join(dir, `${name}.conf`);
    const own = { listen: '127.0.0.1', port: h.port, workers: 2, node: name, run_dir: h.dir, admin_listen: '' };
    const all = { ...settings, server: { ...settings.server, ...own } };
    writeFileSync(h.file, Object.entries(all).map(([section, keys]) =>
      `[${section}]\n${Object.entries(keys).map(([k, v]) => `${k} = ${v}\n`).join('')}`).join('\n'));
    if (clock) {
      h.clock = join(dir, `${name}.clock`);
      h.step(0);
    }
    h.start();
    await h.ready();
    return h;
  }

  get url() { return `http://127.0.0.1:${this.port}`; }

  start() {
    this.program = new Program(this.name, [join(this.build, 'master/pairwire'), '-c', this.file], {
      log: this.log,
      env: { PAIRWIRE_WORKER: join(this.build, 'worker/pairwire-worker'), ...(this.clock ? faketime(this.clock) : {}) },
    });
  }

  // The host's clock, in seconds from the true one.
  step(seconds) { writeFileSync(this.clock, `${seconds < 0 ? '' : '+'}${seconds}`); }

  async ctl(...args) {
    const { stdout } = await run(join(this.build, 'ctl/pairwirectl'), ['-c', this.file, ...args], { timeout: 30000 });
    return stdout;
  }

  async status() { return JSON.parse(await this.ctl('status', '--json')); }

  // Every worker serves and reaches all backends.
  async ready(ms = 60000) {
    return eventually(async (note) => {
      assert.equal(this.program.exit, undefined, `${this.name} ended: ${this.log}`);
      const status = await this.status().catch((err) => { note(String(err)); });
      if (!status) return undefined;
      note(status.slots.map((s) => [s.state, ...UP.filter((k) => s.stats?.[k] !== 1)]));
      return status.slots.every((s) => s.state === 'ready' && UP.every((k) => s.stats[k] === 1)) && status;
    }, `all workers of ${this.name} ready`, ms);
  }

  // The worker of a session, by the instance that its sid names.
  async workerOf(instance) {
    return (await this.status()).slots.find((s) => s.instance === instance);
  }

  // { master, workers: bytes of the largest }
  rss() {
    const [master, ...workers] = this.program.tree();
    return { master: rss(master), workers: Math.max(...workers.map(rss)) };
  }

  async kill() {
    await this.program.kill();
    this.dead = true;
  }

  // The master alone. Its workers follow it; until then they hold the port.
  async killMaster() {
    const pids = this.program.tree();
    process.kill(this.program.pid, 'SIGKILL');
    await eventually(() => pids.every(isGone), `the end of ${this.name}'s workers`);
  }

  async stop() {
    if (this.dead) return;
    const { code, signal } = await this.program.stop();
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `how ${this.name} stopped`);
  }
}
