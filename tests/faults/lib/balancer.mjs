// What stands before two hosts: a connection goes to the preferred host while
// that accepts, else to another. So a client has affinity, and moves when its
// host is dead.
import { connect, createServer } from 'node:net';

export class Balancer {
  #sockets = new Set();

  // ports: the hosts', the preferred one first.
  static async create(ports) {
    const b = new Balancer();
    b.server = createServer((client) => b.#accept(client, ports));
    await new Promise((done) => { b.server.listen(0, '127.0.0.1', done); });
    b.url = `http://127.0.0.1:${b.server.address().port}`;
    return b;
  }

  #accept(client, ports) {
    this.#keep(client);
    client.on('error', () => {});	// a close follows
    this.#reach(client, ports);
  }

  #reach(client, [port, ...others]) {
    const host = this.#keep(connect(port, '127.0.0.1'));
    let reached = false;
    host.once('connect', () => {
      reached = true;
      client.once('close', () => host.destroy());
      host.once('close', () => client.destroy());
      client.pipe(host);
      host.pipe(client);
    });
    host.on('error', () => {
      if (reached) return;
      if (others.length > 0 && !client.destroyed) this.#reach(client, others);
      else client.destroy();
    });
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }

  close() {
    this.server.close();
    for (const s of this.#sockets) s.destroy();
  }
}
