// Long-polling by hand on one connection, for what the stock client never does.
import assert from 'node:assert/strict';
import net from 'node:net';
import { until } from './wait.mjs';

export class Poller {
  #buffer = Buffer.alloc(0);

  static async join(c, user) {
    const p = new Poller();
    p.socket = net.connect(new URL(c.url).port, '127.0.0.1');
    p.socket.on('error', () => {});
    p.socket.on('close', () => { p.closed = true; });
    p.socket.on('data', (data) => { p.#buffer = Buffer.concat([p.#buffer, data]); });
    c.clients.add(p);
    p.get();
    p.sid = JSON.parse((await p.answer()).slice(1)).sid;
    const connect = `40${JSON.stringify({ token: c.token(user) })}`;
    p.socket.write(`POST ${p.path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${connect.length}\r\n\r\n${connect}`);
    assert.equal(await p.answer(), 'ok');
    p.get();
    p.joined = await p.answer();
    assert.match(p.joined, /^40\{/);
    return p;
  }

  get path() { return `/socket.io/?EIO=4&transport=polling${this.sid ? `&sid=${this.sid}` : ''}`; }

  get() { this.socket.write(`GET ${this.path} HTTP/1.1\r\nHost: x\r\n\r\n`); }

  async post(body) {
    this.socket.write(`POST ${this.path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    assert.equal(await this.answer(), 'ok');
  }

  // The body of the next answer.
  async answer() {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n\r\n');
      const length = end === -1 ? 0 : Number(/content-length: (\d+)/i.exec(this.#buffer.subarray(0, end))[1]);
      if (end !== -1 && this.#buffer.length >= end + 4 + length) {
        const body = this.#buffer.subarray(end + 4, end + 4 + length).toString();
        this.#buffer = this.#buffer.subarray(end + 4 + length);
        return body;
      }
      await until(this.socket, 'data');
    }
  }

  close() { this.socket.destroy(); }
}
