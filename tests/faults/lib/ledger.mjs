// What happened, as the clients saw it: what each sender was told, what each
// device received and in which order, what the queue's reader read.

// A message's place in its stream (contract 3).
export function inOrder(a, b) {
  return a.sentAt < b.sentAt || (a.sentAt === b.sentAt && a.id < b.id);
}

export class Ledger {
  sent = new Map();	// tempId -> message
  told = new Map();	// message id -> when message:delivered first came to a device of its sender
  pushes = new Map();	// message id -> [{ entry, queuedAt }]
  devices = [];
  problems = [];	// what may never happen, as it is seen
  #steps = 0;

  // --- senders ---

  // A message about to be sent for the first time.
  write(message) {
    this.sent.set(message.tempId, Object.assign(message, { attempts: [], sentTimes: 0 }));
    return message;
  }

  attempt(message, connection) {
    message.attempts.push({ connection, step: ++this.#steps, at: Date.now() });
  }

  // message:sent; true the first time.
  acknowledge({ tempId, messageId, sentAt }) {
    const m = this.sent.get(tempId);
    if (!m) return this.problem(`message:sent of what was never sent: ${tempId}`);
    if (m.sentTimes++ > 0) {
      if (m.id !== messageId || m.sentAt !== sentAt) this.problem(`two messages of one tempId: ${m.id}, ${messageId}`);
      return false;
    }
    Object.assign(m, { id: messageId, sentAt, toldStep: ++this.#steps, toldAt: Date.now() });
    return true;
  }

  // --- devices ---

  // Follows a device from now on. chain: connections that each went on where the
  // one before was (recovered); what came in a chain must not come again in it.
  follow(device, { name, user }) {
    const d = { name, user, device, chains: [], arrivals: [], connections: 0, recovered: 0, downAt: Date.now() };
    this.devices.push(d);
    device.on('down', () => { d.downAt = Date.now(); });
    device.on('up', ({ recovered }) => {
      d.connections++;
      if (recovered) d.recovered++;
      else d.chains.push({ since: d.downAt, at: Date.now() });
    });
    device.on('event', (event, data, at) => this.#event(d, event, data, at));
    return d;
  }

  // What the device shows of the other one's presence: asked for with each
  // connection; what it is told is newer than what it asked for.
  watch(d, peer) {
    const ask = async () => {
      const { told } = d;
      const answer = d.device.up && await d.device.ask('presence:get', { userIds: [peer.id] });
      if (answer?.ok && d.told === told) d.shows = answer.statuses[0]?.online;
      if (!answer?.ok && d.device.up) setTimeout(ask, 300);
    };
    Object.assign(d, { peer, told: 0 });
    d.device.on('up', ask);
  }

  #event(d, name, data, at) {
    if (name === 'message:new') {
      d.arrivals.push({ id: data.id, tempId: data.content, senderId: data.senderId, sentAt: data.sentAt, at, chain: d.chains.length });
    } else if (name === 'message:delivered') {
      if (!this.told.has(data.messageId)) this.told.set(data.messageId, at);
    } else if (name === 'user:status') {
      if (data.userId !== d.peer.id) return;
      d.told++;
      d.shows = data.online;
    }
  }

  // --- the queue's reader ---

  // What a reader did not acknowledge comes again: no second event.
  push(entry, { userId, queuedAt, data: { messageId: id } }) {
    const known = this.pushes.get(id) ?? [];
    if (known.some((e) => e.entry === entry)) return;
    this.pushes.set(id, [...known, { entry, userId, queuedAt: Date.parse(queuedAt) }]);
  }

  problem(text) {
    if (this.problems.length < 20) this.problems.push(text);
    return false;
  }
}
