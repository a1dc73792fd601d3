// The connections of a TLS server, for its end: all of them, in whatever state. One
// whose handshake has not ended belongs to no session yet, one whose session has ended
// to none any more; either keeps the server from closing.
import { once } from 'node:events';

export class Connections {
  #open = new Set();

  constructor(server) {
    this.server = server;
    for (const made of ['connection', 'secureConnection']) server.on(made, (socket) => this.#add(socket));
  }

  #add(socket) {
    this.#open.add(socket);
    socket.on('close', () => this.#open.delete(socket));
    socket.on('error', () => {});
  }

  // No more of them, and the server ends.
  async end() {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.#open) socket.destroy();
    await closed;
  }
}
