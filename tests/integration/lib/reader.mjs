// The push queue's reader as a process: what it printed ("<entry> <event>"), as
// events.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from './cluster.mjs';
import { until } from './wait.mjs';

export class Reader {
  events = [];

  constructor(cluster, consumer = 'reader') {
    this.process = spawn(join(build, 'tests/faults/push_reader'), [
      '--queue', cluster.queueUrl, '--store', cluster.store.url || cluster.databaseUrl, '--consumer', consumer,
    ], { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface(this.process.stdout).on('line', (line) => this.events.push(JSON.parse(line.slice(line.indexOf('{')))));
  }

  of(user) { return this.events.filter((e) => e.userId === user); }

  // { code, signal }
  async end(signal = 'SIGTERM') {
    const gone = until(this.process, 'exit');
    this.process.kill(signal);
    const [code, by] = await gone;
    return { code, signal: by };
  }
}
