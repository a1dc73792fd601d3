// The stock client, unmodified, as an app would use it: it reconnects by itself
// and keeps its own recovery fields. Emits:
//   up { recovered, sid }, down (reason), event (name, data, at)
// at: when it was read. The client answers a ping that came with an event at
// once, and has the event handled a little later.
import { EventEmitter } from 'node:events';
import { Manager } from './packages.mjs';

export class Device extends EventEmitter {
  #closed = false;

  // timeout: ms in which a connection has to be made.
  constructor(url, { token, transports, reconnect = true, timeout = 4000 }) {
    super();
    Object.assign(this, { url, token, transports, reconnect, timeout });
    this.#open();
  }

  // A Manager of its own, as a page has that was loaded anew.
  #open() {
    this.manager = new Manager(this.url, {
      transports: this.transports, reconnection: this.reconnect,
      reconnectionDelay: 100, reconnectionDelayMax: 500, timeout: this.timeout,
    });
    let readAt;
    this.manager.on('open', () => this.manager.engine.on('data', () => { readAt = Date.now(); }));
    const socket = this.manager.socket('/', { auth: { token: this.token } });
    const current = () => socket === this.socket;
    this.socket = socket;
    socket.on('connect', () => this.emit('up', { recovered: socket.recovered, sid: this.manager.engine.id }));
    socket.on('disconnect', (reason) => {
      if (!current()) return;
      this.emit('down', reason);
      // the one ending after which the stock client leaves it to the app
      if (reason === 'io server disconnect') this.#again();
    });
    socket.on('connect_error', (err) => {
      if (!current()) return;
      this.emit('refused', err.message);
      if (!socket.active) this.#again();
    });
    socket.on('error', () => {});
    socket.onAny((name, data) => current() && this.emit('event', name, data, readAt));
  }

  #again() {
    if (this.#closed || !this.reconnect) return;
    setTimeout(() => this.#closed || this.socket.connect(), 300);
  }

  get up() { return this.socket.connected; }

  send(name, data) { this.socket.emit(name, data); }

  // The acknowledgement, or undefined when there is none in time.
  ask(name, data, ms = 2000) {
    return new Promise((done) => {
      this.socket.timeout(ms).emit(name, data, (err, answer) => done(err ? undefined : answer));
    });
  }

  // Out of reach: the connection is gone without a word.
  leave() {
    this.manager.reconnection(false);
    this.manager.engine.close();
  }

  back() {
    this.manager.reconnection(this.reconnect);
    this.socket.connect();
  }

  // The page is loaded anew: nothing is known from before.
  reload() {
    this.leave();
    this.#open();
  }

  close() {
    this.#closed = true;
    this.manager.reconnection(false);
    this.socket.disconnect();
    this.manager.engine?.close();
  }
}
