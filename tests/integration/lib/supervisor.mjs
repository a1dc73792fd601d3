// A program under tests/lib/supervise, which is systemd to it.
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { eventually } from './wait.mjs';

const top = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../../..');
const build = resolve(process.env.PW_TEST_BUILD || join(top, 'build-tests'));

export class Supervisor {
  events = [];	// as in supervise.c's head

  // log: a descriptor, for what the program says.
  constructor(options, [program, ...args], { env = process.env, log = 'inherit' } = {}) {
    this.process = spawn(join(build, 'tests/lib/supervise'), [...options, '--', program, ...args],
      { env, stdio: ['pipe', 'pipe', log] });
    this.process.stdin.on('error', () => {});	// it has ended
    this.ended = new Promise((done) => { this.process.once('exit', (status) => done(status)); });
    createInterface({ input: this.process.stdout }).on('line', (line) => this.events.push(JSON.parse(line)));
  }

  command(text) { this.process.stdin.write(`${text}\n`); }

  // The program's process id, of its last start.
  get pid() { return this.events.findLast((e) => e.event === 'started')?.pid; }

  // Events from now on.
  mark() {
    const from = this.events.length;
    return () => this.events.slice(from);
  }

  // The first of these events; a pattern is for what the program said.
  async has(wanted, since = () => this.events, ms = undefined) {
    const fits = (e) => (typeof wanted === 'string' ? e.event === wanted : e.event === 'notify' && wanted.test(e.text));
    return eventually((note) => {
      note(since().slice(-3));
      return since().find(fits);
    }, String(wanted), ms);
  }

  // What the program said, but for what comes by itself.
  static said(events) {
    return events.filter((e) => e.event === 'notify').map((e) => e.text).filter((text) => !/^(WATCHDOG|STATUS|EXTEND_TIMEOUT_USEC|FDSTORE|BARRIER)/.test(text));
  }
}
