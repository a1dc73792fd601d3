// Somebody who knocks all the time: new connections, each with one request, which
// has to be answered.
import { connect } from 'node:net';

const REQUESTS = [
  'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
];
const LATE_MS = 40000;

export class Knocker {
  answered = 0;
  failures = [];
  slowest = 0;
  #open = 0;

  constructor(port, everyMs) {
    this.timer = setInterval(() => this.#knock(port), everyMs);
  }

  #knock(port) {
    const begin = Date.now();
    let text = '';
    let done = false;
    const end = (what) => {
      if (done) return;
      done = true;
      this.#open--;
      clearTimeout(late);
      socket.destroy();
      this.slowest = Math.max(this.slowest, Date.now() - begin);
      if (text.startsWith('HTTP/1.1 200 ')) this.answered++;
      else this.failures.push(`${what} after ${Date.now() - begin} ms: ${text.slice(0, 60)}`);
    };
    const late = setTimeout(() => end('no answer'), LATE_MS);
    const socket = connect(port, '127.0.0.1');
    this.#open++;
    socket.setEncoding('latin1');
    socket.on('data', (more) => { text += more; });
    socket.once('error', (err) => end(err.code));
    socket.once('close', () => end('closed'));
    socket.write(REQUESTS[(this.answered + this.failures.length) % REQUESTS.length]);
  }

  // No more; those under way get their answers.
  async stop() {
    clearInterval(this.timer);
    while (this.#open > 0) await new Promise((done) => { setImmediate(done); });
  }
}
