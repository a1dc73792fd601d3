// A TCP relay to a server, for cutting some of its clients off, or for a server
// that accepts them and reads nothing.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Relay {
  #open = new Set();
  #cut = false;
  #frozen = false;
  slow = 0;	// ms until a connection reaches the server

  static async to(host, port) {
    const r = new Relay();
    r.server = createServer((near) => r.#carry(near, connect(Number(port), host)));
    r.server.listen(0, '127.0.0.1');
    await once(r.server, 'listening');
    r.port = r.server.address().port;
    return r;
  }

  #carry(near, far) {
    for (const [from, to] of [[near, far], [far, near]]) {
      this.#open.add(from);
      from.on('error', () => {});
      from.on('close', () => { this.#open.delete(from); to.destroy(); });
      if (!this.#frozen) setTimeout(() => from.pipe(to), this.slow);
    }
    if (this.#cut) near.destroy();
  }

  // Ends all connections, and every new one at once.
  cut() {
    this.#cut = true;
    for (const s of this.#open) s.destroy();
  }

  mend() { this.#cut = false; }

  // Connections stay, and are accepted, but nothing is read any more.
  freeze() {
    this.#frozen = true;
    for (const s of this.#open) s.unpipe();
  }

  // As a server that was started anew: what it had not read is gone.
  thaw() {
    this.#frozen = false;
    for (const s of this.#open) s.destroy();
  }

  close() {
    this.cut();
    this.server.close();
  }
}
