// The stock client, with a memory: every event it ever got, in order.
import { EventEmitter } from 'node:events';
import { Manager } from 'socket.io-client';
import { WebSocket } from 'ws';
import { DEADLINE, until, withDeadline } from './wait.mjs';

// The worker instance that a session id names: its first 4 characters.
export function instanceOf(sid) {
  return Buffer.from(sid.slice(0, 4), 'base64url').readUIntBE(0, 3);
}

export class Client {
  events = [];	// { name, data, offset, at (performance.now()) }
  #bus = new EventEmitter();
  #ended;

  constructor(user, manager, socket) {
    Object.assign(this, { user, manager, socket });
    this.#bus.setMaxListeners(0);
    this.#ended = new Promise((done) => { socket.once('disconnect', done); });
    socket.onAny((name, data, offset) => {
      this.events.push({ name, data, offset, at: performance.now() });
      this.#bus.emit('event', name, data);
    });
  }

  get instance() { return instanceOf(this.manager.engine.id); }
  get connected() { return this.socket.connected; }

  // What came of this name so far, as the predicate accepts it.
  all(name, predicate = () => true) {
    return this.events.filter((e) => e.name === name && predicate(e.data)).map((e) => e.data);
  }

  // The first such event, past or to come.
  async got(name, predicate = () => true, ms = DEADLINE) {
    const [past] = this.all(name, predicate);
    if (past !== undefined) return past;
    try {
      const [, data] = await until(this.#bus, 'event', (n, d) => n === name && predicate(d), ms);
      return data;
    } catch (err) {
      const tail = this.events.slice(-5).map((e) => JSON.stringify(e).slice(0, 200));
      throw new Error(`${this.user}: no ${name}: ${err.message}; last events: ${tail.join(' ')}`);
    }
  }

  // All such events, once there are n of them.
  async gotMany(n, name, predicate = () => true, ms = DEADLINE) {
    const enough = () => this.all(name, predicate).length >= n;
    if (!enough()) {
      await until(this.#bus, 'event', (got) => got === name && enough(), ms).catch((err) => {
        throw new Error(`${this.user}: ${this.all(name, predicate).length} of ${n} ${name}: ${err.message}`);
      });
    }
    return this.all(name, predicate);
  }

  // Why it was disconnected, the first time; also when that is past.
  async ended(ms = DEADLINE) { return withDeadline(this.#ended, ms, 'disconnect'); }

  emit(name, ...args) { this.socket.emit(name, ...args); }

  // The acknowledgement.
  ask(name, ...args) {
    return withDeadline(new Promise((resolve) => { this.socket.emit(name, ...args, resolve); }), DEADLINE, () => `acknowledgement of ${name}`);
  }

  // Sends and returns the acknowledgement, which must be good.
  async send(matchId, content, more = {}) {
    const answer = await this.ask('message:send', { matchId, content, ...more });
    if (!answer.ok) throw new Error(`message:send: ${JSON.stringify(answer)}`);
    return answer;
  }

  // Everything that the server sent before answering this has arrived here.
  // (A wrong call, since every event is answered alike and none is a no-op.)
  async roundTrip() {
    await this.ask('message:read', null);
  }

  close() {
    this.manager.reconnection(false);
    this.manager.engine?.close();
    this.socket.disconnect();
  }

  // The connection breaks, and the app does not come back by itself.
  async leave() {
    const left = new Promise((resolve) => { this.socket.once('disconnect', resolve); });
    this.manager.reconnection(false);
    this.manager.engine.close();
    await withDeadline(left, DEADLINE, 'disconnect');
    this.socket.disconnect();
  }

  // With what it remembers. Returns whether the server took that up.
  async comeBack({ on, url = this.manager.uri, auth } = {}) {
    this.manager.uri = url;
    if (auth) this.socket.auth = auth;
    await openOn(this.manager, on);
    await connected(this.socket);
    return this.socket.recovered;
  }
}

// Opens a connection to that worker: an instance, or a predicate over it.
async function openOn(manager, on) {
  const wanted = typeof on === 'function' ? on : (instance) => on === undefined || instance === on;
  for (let tries = 0; tries < 200; tries++) {
    await withDeadline(new Promise((resolve, reject) => {
      manager.open((err) => (err ? reject(err) : resolve()));
    }), DEADLINE, 'engine open');
    if (wanted(instanceOf(manager.engine.id))) return;
    manager.engine.close();
  }
  throw new Error('200 connections, and none on the wanted worker');
}

async function connected(socket) {
  const answered = new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  socket.connect();
  await withDeadline(answered, DEADLINE, 'Socket.IO connect');
}

// options: token; on: an instance, or a predicate over it; reconnect; any
// option of the stock client in `io`; Manager: that of another version.
export async function connect(url, user, { auth, on, reconnect = false, io = {}, Manager: Made = Manager } = {}) {
  const manager = new Made(url, {
    transports: ['websocket'], autoConnect: false, reconnection: false,
    reconnectionDelay: 100, reconnectionDelayMax: 500, ...io,
  });
  await openOn(manager, on);
  manager.reconnection(reconnect);
  const client = new Client(user, manager, manager.socket('/', { auth }));
  try {
    await connected(client.socket);
  } catch (err) {
    client.close();
    throw err;
  }
  return client;
}

// Speaks frames, for what the stock client cannot say.
export class RawClient extends EventEmitter {
  frames = [];

  constructor(url, { answerPings = true, path = '/socket.io/', query = 'EIO=4&transport=websocket' } = {}) {
    super();
    this.answerPings = answerPings;
    this.ws = new WebSocket(`${url.replace(/^http/, 'ws')}${path}?${query}`);
    this.pings = 0;
    this.ws.on('message', (data, binary) => {
      const frame = binary ? data : data.toString();
      this.frames.push(frame);
      if (frame === '2') {
        this.pings++;
        if (this.answerPings) this.ws.send('3');
      }
      this.emit('frame', frame);
    });
    this.ws.on('close', (code) => { this.closed = true; this.emit('closed', code); });
    this.ws.on('error', () => {});	// a close follows
  }

  async frame(predicate, ms = DEADLINE) {
    const past = this.frames.find(predicate);
    if (past !== undefined) return past;
    const [frame] = await until(this, 'frame', predicate, ms);
    return frame;
  }

  // The data of the first event of this name.
  async event(name, ms = DEADLINE) {
    const head = `42${JSON.stringify([name]).slice(0, -1)},`;
    const frame = await this.frame((f) => typeof f === 'string' && f.startsWith(head), ms);
    return JSON.parse(frame.slice(2))[1];
  }

  async join(auth) {
    await this.frame((f) => typeof f === 'string' && f.startsWith('0{'));
    this.ws.send(`40${JSON.stringify(auth)}`);
    const answer = await this.frame((f) => typeof f === 'string' && /^4[04]\{/.test(f));
    if (answer.startsWith('44')) throw new Error(`refused: ${answer}`);
    return this;
  }

  send(frame) { this.ws.send(frame); }

  async gone(ms = DEADLINE) {
    if (!this.closed) await until(this, 'closed', () => true, ms);
  }

  close() { this.ws.terminate(); }
}
