// A device in a process of its own, so that it can be frozen.
import { fork } from 'node:child_process';
import { EventEmitter } from 'node:events';

const program = new URL('../device.mjs', import.meta.url).pathname;

export class RemoteDevice extends EventEmitter {
  up = false;
  #asks = new Map();
  #asked = 0;

  constructor(url, options) {
    super();
    // also dies with us when it is stopped
    this.child = fork(program, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execPath: 'setpriv', execArgv: ['--pdeathsig', 'KILL', '--', process.execPath],
    });
    this.child.on('message', ([name, ...args]) => {
      if (name === 'up') this.up = true;
      if (name === 'down') this.up = false;
      if (name === 'answer') this.#answer(...args);
      else this.emit(name, ...args);
    });
    this.child.send(['open', url, options]);
  }

  send(name, data) { this.child.send(['send', name, data]); }

  ask(name, data, ms = 2000) {
    const n = this.#asked++;
    return new Promise((done) => {
      this.#asks.set(n, done);
      this.child.send(['ask', n, name, data, ms]);
    });
  }

  #answer(n, answer) {
    this.#asks.get(n)(answer);
    this.#asks.delete(n);
  }

  freeze() {
    this.frozen = true;
    this.child.kill('SIGSTOP');
  }

  thaw() {
    this.frozen = false;
    this.child.kill('SIGCONT');
  }

  close() { this.child.kill('SIGKILL'); }
}
