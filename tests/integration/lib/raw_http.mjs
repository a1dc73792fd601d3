// HTTP/1.1 by hand on one connection, for what no HTTP client would send.
import { EventEmitter } from 'node:events';
import net from 'node:net';
import { DEADLINE, until } from './wait.mjs';

export class RawHttp {
  #buffer = Buffer.alloc(0);
  #changed = new EventEmitter();

  constructor(url) {
    this.socket = net.connect({ port: new URL(url).port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('error', () => {});	// a close follows
    this.socket.on('close', () => { this.closed = true; this.#changed.emit('change'); });
    this.socket.on('end', () => { this.ended = true; this.#changed.emit('change'); });
    this.socket.on('data', (data) => { this.#buffer = Buffer.concat([this.#buffer, data]); this.#changed.emit('change'); });
  }

  write(text) { this.socket.write(text); }

  // fields: an object, or lines.
  request(method, target, body, fields = {}) {
    const lines = Object.entries({ Host: 'x', ...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }), ...fields });
    this.write(`${method} ${target} HTTP/1.1\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n${body ?? ''}`);
  }

  // The next answer: { status, fields, body }.
  answer(ms) { return this.#answer((fields) => Number(fields['content-length'] ?? 0), ms); }

  // One that has no body, whatever its fields say: to HEAD.
  head(ms) { return this.#answer(() => 0, ms); }

  async #answer(lengthOf, ms) {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n\r\n');
      if (end !== -1) {
        const [first, ...lines] = this.#buffer.subarray(0, end).toString('latin1').split('\r\n');
        const fields = Object.fromEntries(lines.map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 1).trim()]));
        const length = lengthOf(fields);
        if (this.#buffer.length >= end + 4 + length) {
          const body = this.#buffer.subarray(end + 4, end + 4 + length).toString();
          this.#buffer = this.#buffer.subarray(end + 4 + length);
          return { status: Number(first.split(' ')[1]), fields, body };
        }
      }
      if (this.ended || this.closed) throw new Error('ended without an answer');
      await until(this.#changed, 'change', undefined, ms);
    }
  }

  // What came that is no whole answer (yet).
  get rest() { return this.#buffer.toString(); }

  // The server's end of the connection is closed, and nothing else came.
  async end(ms = DEADLINE) {
    if (!this.ended && !this.closed) await until(this.#changed, 'change', () => this.ended || this.closed, ms);
    if (this.rest !== '') throw new Error(`before the end: ${this.rest.slice(0, 200)}`);
  }

  close() { this.socket.destroy(); }
}

const POLLING = '/socket.io/?EIO=4&transport=polling';

// A session: one connection for GETs, one for POSTs, as the stock client does.
export class RawPolling {
  static async open(url) {
    const p = new RawPolling();
    p.url = url;
    p.gets = new RawHttp(url);
    p.posts = new RawHttp(url);
    p.gets.request('GET', POLLING);
    p.opened = await p.gets.answer();
    p.sid = JSON.parse(p.opened.body.slice(1)).sid;
    p.path = `${POLLING}&sid=${p.sid}`;
    return p;
  }

  poll() { this.gets.request('GET', this.path); }

  async get(ms) {
    this.poll();
    return this.gets.answer(ms);
  }

  async post(body, fields) {
    this.posts.request('POST', this.path, body, fields);
    return this.posts.answer();
  }

  close() {
    this.gets.close();
    this.posts.close();
  }
}
