// Pairs in conversation. What a sender has not been told of as sent, it sends
// again with the same tempId: after SERVICE_UNAVAILABLE, after a disconnect.
import { randomUUID } from 'node:crypto';

const RETRY_MS = 300;
// Unanswered messages at which an app stops its user from writing more.
const WINDOW = 30;

export class Sender {
  #open = new Map();
  #timers = new Set();
  connection = 0;

  constructor(ledger, { user, peer, match, device, interval }) {
    Object.assign(this, { ledger, user, peer, match, device, interval });
    device.on('up', () => { this.connection++; for (const m of this.#open.values()) this.#send(m); });
    device.on('down', () => device.reconnect === false && this.close());
    device.on('event', (name, data) => {
      if (name === 'message:sent' && ledger.acknowledge(data)) this.#open.delete(data.tempId);
      if (name === 'error') this.#refused(data);
    });
  }

  get unanswered() { return this.#open.size; }

  start() {
    const begin = this.#after(Math.random() * this.interval, () => {
      this.#timers.delete(begin);
      this.ticker = setInterval(() => this.#write(), this.interval);
    });
  }

  // No new messages; the unanswered ones go on being sent.
  stop() {
    this.stopped = true;
    clearInterval(this.ticker);
  }

  // Nor these: nobody is there any more who would care.
  close() {
    this.stop();
    for (const t of this.#timers) clearTimeout(t);
    for (const m of this.#open.values()) m.abandoned = true;
    this.#open.clear();
  }

  #write() {
    if (this.#open.size >= WINDOW || this.stopped || !this.device.up) return;
    const m = this.ledger.write({ tempId: randomUUID(), user: this.user, peer: this.peer, match: this.match });
    this.#open.set(m.tempId, m);
    this.#send(m);
  }

  #send(m) {
    if (!this.device.up) return;	// 'up' will see to it
    this.ledger.attempt(m, this.connection);
    this.device.send('message:send', { matchId: m.match, content: m.tempId, tempId: m.tempId });
  }

  #refused({ code, tempId }) {
    const m = this.#open.get(tempId);
    if (code !== 'SERVICE_UNAVAILABLE') this.ledger.problem(`refused: ${code}`);
    if (!m) return;
    m.refused = (m.refused ?? 0) + 1;
    this.#after(RETRY_MS, () => this.#open.has(tempId) && this.#send(m));
  }

  #after(ms, fn) {
    const t = setTimeout(() => { this.#timers.delete(t); fn(); }, ms);
    this.#timers.add(t);
    return t;
  }
}
