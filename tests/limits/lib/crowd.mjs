// One worker of a Pairwire of its own, and many idle clients of it, each a user.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Cluster, build } from '../../integration/lib/cluster.mjs';
import { eventually, until, withDeadline } from '../../integration/lib/wait.mjs';

// A process's connections come from an address of its own: an address that has
// many to one server is slow to find a port for another, and the worker would be
// woken for each connection alone.
let addresses = 1;
const EACH = 10000;
const PATTERN = '00000000-0000-4000-8000-############';	// as long as a UUID

export class Crowd {
  connections = 0;
  #loads = new Set();

  static async start() {
    const crowd = new Crowd();
    crowd.cluster = await Cluster.start({ server: { workers: 1 }, limits: { connect_rate: 0 } });
    await crowd.cluster.pg.query(`INSERT INTO users (id, first_name)
      SELECT '00000000-0000-4000-8000-' || lpad(n::text, 12, '0'), 'Ann' FROM generate_series(1, 25000) n`);
    crowd.pid = (await crowd.cluster.status()).slots[0].pid;
    return crowd;
  }

  // n more, all joined when this returns.
  async grow(n) {
    for (let left = n; left > 0; left -= EACH) await this.open(Math.min(left, EACH));
  }

  // The same, of one process. For close().
  async open(n) {
    const from = `127.0.0.${++addresses}`;
    const child = spawn(join(build, 'bench/pairwire-bench'),
      ['idle', '--url', this.cluster.url, '--from', from, '--connections', n, '--users', PATTERN, '--first', this.connections + 1],
      { env: { ...process.env, JWT_SECRET: this.cluster.secret }, stdio: ['ignore', 'pipe', 'inherit'] });
    const load = { child, n, exit: new Promise((done) => { child.once('exit', done); }) };
    this.#loads.add(load);
    const joined = until(createInterface({ input: child.stdout }), 'line', (line) => line.includes(' connections in '), 180000);
    await Promise.race([joined, load.exit.then((code) => { throw new Error(`pairwire-bench ended with status ${code}`); })]);
    this.connections += n;
    return load;
  }

  // What their coming began is done: each told to his matches, and his unread
  // counters made.
  async settled() {
    await eventually(async (note) => {
      const { stats } = (await this.cluster.status()).slots[0];
      const left = [stats.announced, stats.unread_rebuilt].map((n) => this.connections - n);
      note(left);
      return left.every((n) => n <= 0);
    }, 'nobody new any more', 180000);
  }

  // The last ones opened first.
  async close(load) {
    load.child.kill('SIGTERM');
    assert.equal(await withDeadline(load.exit, 60000, 'pairwire-bench to leave'), 0, 'no connection was lost');
    this.#loads.delete(load);
    this.connections -= load.n;
    await eventually(async (note) => {
      const { stats } = (await this.cluster.status()).slots[0];
      note(stats.connections);
      return stats.connections === this.connections;
    }, 'the worker to let go of them', 60000);
  }

  async leave() {
    for (const load of [...this.#loads].reverse()) await this.close(load);
  }

  async stop() {
    for (const load of this.#loads) load.child.kill('SIGKILL');
    const exit = await this.cluster.stop();
    await this.cluster.cleanUp();
    assert.deepEqual(exit, { code: 0, signal: null });
  }
}
