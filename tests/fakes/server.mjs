// An HTTP/2 server over TLS as FCM and APNs are: it checks each request by the
// rules of its provider, does as its script says, and writes everything down.
import { createSecureServer } from 'node:http2';
import { once } from 'node:events';
import { Script, errorCode, retryAfter } from './behaviour.mjs';
import { Connections } from './connections.mjs';

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

// A provider extends this with
//   judge(request): fills in request.token; -> the answer to a good request, or the
//                   refusal of a bad one, then with wrong: what is wrong with it
//   failure(behaviour): the answer that a behaviour with a status asks for
// Answers: { status, headers, body }.
export class FakeServer extends Script {
  connections = 0;	// ever made
  latency = 0;		// ms, of each answer
  mostAtOnce = 0;	// streams of a connection
  #sessions = new Map();
  #gate;

  // limit: streams of a connection; firstLimit: until a request was accepted.
  constructor(name, { key, cert, limit = 100, firstLimit = limit }) {
    super();
    Object.assign(this, { name, limit, firstLimit });
    this.server = createSecureServer({ key, cert, settings: { maxConcurrentStreams: firstLimit } });
    this.connected = new Connections(this.server);
    this.server.on('session', (session) => this.#joined(session));
    this.server.on('stream', (stream, headers) => this.#stream(stream, headers));
    this.server.on('unknownProtocol', (socket) => { this.violation('no "h2" in ALPN'); socket.destroy(); });
    this.server.on('sessionError', () => {});
    this.server.on('tlsClientError', () => {});
  }

  async listen(port = 0) {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
    this.url = `https://localhost:${this.port}`;
    return this;
  }

  async close() {
    this.dropAll();
    await this.connected.end();
  }

  forget() {
    super.forget();
    this.latency = 0;
    this.mostAtOnce = 0;
  }

  get open() { return [...this.#sessions.values()]; }

  // Notifications that a device has shown.
  get shown() { return this.requests.filter((r) => r.shown); }

  of(token) { return this.requests.filter((r) => r.token === token); }

  dropAll() {
    for (const session of [...this.#sessions.keys()]) this.#drop(session);
  }

  // Answers that are on their way may not arrive: who sent the request cannot know.
  #drop(session) {
    for (const r of this.#sessions.get(session)?.answering ?? []) r.unknown = true;
    session.destroy();
  }

  // No answers until what this returns is called.
  hold() {
    let release;
    this.#gate = new Promise((done) => { release = done; });
    return () => { this.#gate = undefined; release(); };
  }

  // GOAWAY on every connection; see behaviour.mjs.
  goAwayAll(how = {}) {
    for (const [session, s] of this.#sessions) this.#goAway(session, s, how);
  }

  // Of connections to come.
  setFirstLimit(limit) {
    this.firstLimit = limit;
    this.server.updateSettings({ maxConcurrentStreams: limit });
  }

  setLimit(limit) {
    this.limit = limit;
    for (const [session, s] of this.#sessions) this.#raise(session, s);
  }

  #joined(session) {
    const s = { n: ++this.connections, at: Date.now(), limit: this.firstLimit, streams: new Set(), answered: 0, last: Infinity, pings: 0, answering: new Set() };
    this.#sessions.set(session, s);
    session.on('close', () => this.#sessions.delete(session));
    session.on('error', () => {});
    session.on('ping', () => { s.pings++; });
  }

  #raise(session, s) {
    s.limit = this.limit;
    if (!session.destroyed) session.settings({ maxConcurrentStreams: this.limit });
  }

  #goAway(session, s, { share = 1, code = 0, reason } = {}) {
    if (session.destroyed || s.last !== Infinity) return;
    const open = [...s.streams].sort((a, b) => a - b);
    const kept = open.slice(0, Math.round(open.length * share));
    // what was answered was processed, whatever is still on its way of the answer
    s.last = share === 1 ? s.highest ?? 0 : Math.max(s.answered, kept.at(-1) ?? Math.max(0, (open[0] ?? 1) - 2));
    session.goaway(code, s.last, reason && Buffer.from(JSON.stringify({ reason })));
  }

  #stream(stream, headers) {
    const { session } = stream;
    const s = this.#sessions.get(session);
    stream.on('error', () => {});
    if (!s || stream.id > s.last) return;	// GOAWAY said that these are nobody's
    s.highest = stream.id;
    s.streams.add(stream.id);
    stream.on('close', () => s.streams.delete(stream.id));
    this.mostAtOnce = Math.max(this.mostAtOnce, s.streams.size);
    if (s.streams.size > s.limit) this.violation(`${s.streams.size} streams at once on a connection that allows ${s.limit}`);
    const chunks = [];
    stream.on('data', (c) => chunks.push(c));
    stream.on('end', () => this.#complete(stream, s, {
      provider: this.name, at: Date.now(), connection: s.n, stream: stream.id,
      method: headers[':method'], path: headers[':path'], headers: { ...headers }, raw: Buffer.concat(chunks), shown: false,
    }));
  }

  async #complete(stream, s, r) {
    const over = () => stream.destroyed || stream.id > s.last;
    if (over()) return;
    const good = this.judge(r);
    this.noted(r);
    for (const text of good.wrong ?? []) this.violation(text);
    if (!good.unauthorized && s.limit !== this.limit) this.#raise(stream.session, s);
    const b = good.wrong || good.status !== 200 ? {} : this.next(r.token);
    r.behaviour = b;
    if (b.goaway) this.#goAway(stream.session, s, b.goaway);
    await this.#gate;
    if (this.latency || b.delay) await pause(this.latency + (b.delay ?? 0));
    if (over()) {
      r.abandoned = true;
      return;
    }
    s.answered = Math.max(s.answered, stream.id);
    this.#end(stream, s, r, b, good);
  }

  #end(stream, s, r, b, good) {
    r.answeredAt = Date.now();
    if (b.stall || b.reset || b.drop) {
      r.shown = b.shown ?? false;
      r.unknown = true;
      if (b.reset) stream.close(errorCode(b.reset));
      if (b.drop) this.#drop(stream.session);
      return;
    }
    const answer = b.status && b.status !== 200 ? this.failure(b, r) : good;
    r.status = answer.status;
    r.reason = answer.reason;
    r.shown = answer.status === 200;
    s.answering.add(r);
    stream.on('close', () => s.answering.delete(r));
    stream.respond({ ':status': answer.status, ...answer.headers, ...retryAfter(b.retryAfter), ...b.headers });
    stream.end(b.body ?? answer.body);
  }
}
