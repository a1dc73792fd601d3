// HTTP as bytes on one connection: what no client library would send, and
// whose answer came on which connection.
import { connect } from 'node:net';
import { DEADLINE, withDeadline } from './wait.mjs';

export class Wire {
  #in = Buffer.alloc(0);
  #wake = () => {};
  ended = false;

  // A connected one. localAddress: of ours.
  static async open(url, { localAddress } = {}) {
    const { hostname, port } = new URL(url);
    const w = new Wire();
    w.socket = connect({ host: hostname, port: Number(port), localAddress, noDelay: true });
    w.socket.on('data', (data) => { w.#in = Buffer.concat([w.#in, data]); w.#wake(); });
    w.socket.on('error', () => {});	// a close follows
    w.socket.on('close', () => { w.ended = true; w.#wake(); });
    await withDeadline(new Promise((resolve, reject) => {
      w.socket.once('connect', resolve);
      w.socket.once('error', reject);
    }), DEADLINE, 'connect');
    return w;
  }

  write(bytes) { return new Promise((done) => { this.socket.write(bytes, done); }); }

  // A request's bytes. body: its length is told unless fields tell otherwise.
  static request(method, target, { fields = {}, body = '' } = {}) {
    const all = { Host: 'x', ...(body ? { 'Content-Length': Buffer.byteLength(body) } : {}), ...fields };
    const lines = Object.entries(all).filter(([, v]) => v !== undefined).map(([k, v]) => `${k}: ${v}\r\n`);
    return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
  }

  // The next answer: { status, fields (names in lower case), body }.
  async answer(ms = DEADLINE) {
    return withDeadline(this.#answer(), ms, () => `an answer; so far ${JSON.stringify(this.#in.toString('latin1').slice(0, 300))}${this.ended ? ', and the end' : ''}`);
  }

  async ask(method, target, options) {
    await this.write(Wire.request(method, target, options));
    return this.answer();
  }

  // The server closed it.
  async end(ms = DEADLINE) {
    await withDeadline(this.#until(() => this.ended), ms, 'the end of the connection');
  }

  // Came, and was not asked for with answer().
  get rest() { return this.#in; }

  close() { this.socket.destroy(); }

  async #until(cond) {
    for (;;) {
      const value = cond();
      if (value) return value;
      await new Promise((resolve) => { this.#wake = resolve; });
    }
  }

  async #answer() {
    return this.#until(() => {
      const end = this.#in.indexOf('\r\n\r\n');
      if (end === -1) {
        if (this.ended) throw new Error(`closed without an answer, after ${JSON.stringify(this.#in.toString('latin1'))}`);
        return undefined;
      }
      const [first, ...lines] = this.#in.toString('latin1', 0, end).split('\r\n');
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)[1]);
      const fields = {};
      for (const line of lines) {
        const name = line.slice(0, line.indexOf(':')).toLowerCase();
        const value = line.slice(line.indexOf(':') + 1).trim();
        fields[name] = name in fields ? `${fields[name]}, ${value}` : value;
      }
      const bodyless = status < 200 || status === 204;
      const length = bodyless ? 0 : Number(fields['content-length'] ?? (this.ended ? this.#in.length - end - 4 : NaN));
      if (Number.isNaN(length) || this.#in.length < end + 4 + length) return undefined;
      const body = this.#in.toString('utf8', end + 4, end + 4 + length);
      this.#in = this.#in.subarray(end + 4 + length);
      return { status, fields, body };
    });
  }
}
