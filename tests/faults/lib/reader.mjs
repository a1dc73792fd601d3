// The queue's reader, a consumer such as pushd is: prints each event, then marks
// the message as no longer owing and acknowledges.
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { Program } from './process.mjs';

export class Reader {
  constructor({ servers, ledger, dir }, build) {
    Object.assign(this, { ledger, log: join(dir, 'reader.log') });
    this.command = [join(build, 'tests/faults/push_reader'), '--queue', servers.redis.url,
      '--store', servers.mongo?.url ?? servers.postgres.url, '--consumer', 'one'];
    this.start();
  }

  get running() { return !this.program.exit; }

  start() {
    this.program = new Program('push_reader', this.command, { log: this.log, stdout: 'pipe' });
    createInterface({ input: this.program.child.stdout }).on('line', (line) => this.#line(line));
  }

  #line(line) {
    const [entry] = line.split(' ', 1);
    let event;
    // what its death cut short comes again
    try { event = JSON.parse(line.slice(entry.length)); } catch { return; }
    this.ledger.push(entry, event);
  }

  async kill() { await this.program.kill(); }

  async stop() {
    const { code } = await this.program.stop();
    assert.equal(code, 0, `the reader ended: ${this.log}`);
  }
}
