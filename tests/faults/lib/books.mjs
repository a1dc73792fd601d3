// The books of a row: what was sent, stored, received, pushed, against each
// other. Every difference is a finding.
import { inOrder } from './ledger.mjs';

const MB = 1 << 20;
// More than this on top of what a process had is growth.
const GROWTH_MAX = 16 * MB;
// The cluster's clock is Redis' and so this machine's, but for what the network
// takes; a burst runs ahead of it.
const CLOCK_MS = 1000;

function groupBy(list, key) {
  const groups = new Map();
  for (const item of list) {
    const k = key(item);
    if (groups.has(k)) groups.get(k).push(item);
    else groups.set(k, [item]);
  }
  return groups;
}

class Findings {
  #lists = new Map();

  add(what, example) { this.#lists.set(what, [...this.#lists.get(what) ?? [], example]); }
  count(what) { return this.#lists.get(what)?.length ?? 0; }

  lines() {
    return [...this.#lists].map(([what, all]) => `${what}: ${all.length}, such as ${all.slice(0, 4).join('; ')}`);
  }
}

// message:sent against the store.
function sends({ ledger, rows, found }) {
  const byTemp = new Map();
  for (const r of rows) {
    if (byTemp.has(r.tempId)) found.add('stored twice', r.tempId);
    byTemp.set(r.tempId, r);
    if (!ledger.sent.has(r.tempId)) found.add('stored, never sent', r.id);
  }
  for (const m of ledger.sent.values()) {
    const r = byTemp.get(m.tempId);
    if (!m.id) {
      if (!m.abandoned) found.add('never answered', m.tempId);
    } else if (!r) {
      found.add('message:sent, not stored', m.id);
    } else if (r.id !== m.id || r.sentAt !== m.sentAt) {
      found.add('stored as another', `${m.id} ${r.id}`);
    } else if (!(Date.parse(m.sentAt) > m.attempts[0].at - CLOCK_MS && Date.parse(m.sentAt) < m.toldAt + CLOCK_MS)) {
      found.add('sentAt untrue', `${m.id} ${m.sentAt}`);
    }
  }
}

// Contract 3: what was sent later on the same connection, or after the first's
// message:sent, comes after. Of resends it is not known which attempt counted.
function order({ ledger, found }) {
  const senders = groupBy([...ledger.sent.values()].filter((m) => m.id), (m) => m.user.id);
  const later = (a, b) => (!a || inOrder(a, b) ? b : a);
  for (const messages of senders.values()) {
    const told = [...messages].sort((a, b) => a.toldStep - b.toldStep);
    const connections = new Map();
    let n = 0;
    let known;	// the newest of those whose message:sent had come
    for (const m of messages) {
      const [{ step, connection }] = m.attempts;
      while (told[n].toldStep < step) known = later(known, told[n++]);
      if (known && !inOrder(known, m)) found.add('out of order in the store', `${m.id} before ${known.id}`);
      if (m.attempts.length > 1) continue;
      const before = connections.get(connection);
      if (before && !inOrder(before, m)) found.add('out of order in the store', `${m.id} before ${before.id}`);
      connections.set(connection, later(before, m));
    }
  }
}

// What one device received: each once in a chain, in order (but for a resend whose
// first attempt turns out to have arrived: it came after the others); after a fresh start
// again only what nobody was told of as delivered before.
function arrivals(d, { ledger, found }) {
  const times = new Map();
  const newest = new Map();
  const resent = ({ tempId }) => ledger.sent.get(tempId)?.attempts.length > 1;
  let again = 0;
  for (const m of d.arrivals) {
    const before = times.get(m.id);
    times.set(m.id, m.chain);
    if (before === m.chain) found.add('received twice', `${d.name} ${m.id}`);
    else if (before !== undefined && ledger.told.get(m.id) < d.chains[m.chain - 1].since) found.add('received again, though confirmed', `${d.name} ${m.id}`);
    else if (before !== undefined) again++;
    if (before !== undefined) continue;
    const last = newest.get(m.senderId);
    if (last && !inOrder(last, m) && !resent(m)) found.add('received out of order', `${d.name} ${m.id} after ${last.id}`);
    else newest.set(m.senderId, m);
  }
  return again;
}

// Who is there has everything, but what another device of his confirmed before
// he started afresh; for what nobody has there is a push event.
function losses({ ledger, rows, found }) {
  const has = new Map(ledger.devices.map((d) => [d, new Set(d.arrivals.map((m) => m.id))]));
  const devices = groupBy(ledger.devices, (d) => d.user.id);
  for (const r of rows) {
    const all = devices.get(r.recipient);
    const some = all.some((d) => has.get(d).has(r.id));
    if (!some && !ledger.pushes.has(r.id)) found.add('neither received nor pushed', `${r.id} to ${all[0].user.name}`);
    for (const d of all.filter(({ device }) => device.up)) {
      const confirmed = some && all.length > 1 && d.chains.length > 1;
      if (!has.get(d).has(r.id) && !confirmed) found.add('not received', `${r.id} by ${d.name}`);
    }
    for (const d of devices.get(r.sender).slice(1).filter(({ device }) => device.up)) {
      if (!has.get(d).has(r.id) && d.chains.length === 1) found.add('own message not received', `${r.id} by ${d.name}`);
    }
    if (r.deliveredAt && !some) found.add('delivered in the store, not received', r.id);
    // who is away may have lost the connection before he could confirm
    const there = all.find((d) => d.device.up && has.get(d).has(r.id));
    if (there && !r.deliveredAt) found.add('received, not delivered in the store', `${r.id} by ${there.name}`);
  }
}

// message:delivered: some device had it by then, and the store says so. And who
// sent it, and was there or went on where he was, was told, unless it was a worker
// that died with the news.
function told({ row, ledger, rows, found }) {
  const first = new Map();
  for (const d of ledger.devices) {
    for (const m of d.arrivals) if (d.user.id !== m.senderId) first.set(m.id, Math.min(first.get(m.id) ?? Infinity, m.at));
  }
  const delivered = new Map(rows.map((r) => [r.id, r.deliveredAt]));
  for (const [id, at] of ledger.told) {
    if (!(first.get(id) <= at)) found.add('false message:delivered', `${id}, ${first.has(id) ? `${first.get(id) - at} ms too early` : 'nobody has it'}`);
    else if (!delivered.get(id)) found.add('message:delivered, not in the store', id);
  }
  if (row.dies) return;
  const senders = new Map(ledger.devices.filter((d) => d.device.up && d.chains.length === 1).map((d) => [d.user.id, d.name]));
  for (const r of rows) {
    if (r.deliveredAt && senders.has(r.sender) && !ledger.told.has(r.id)) found.add('no message:delivered', `${r.id} to ${senders.get(r.sender)}`);
  }
}

// Push events: repeats, and those of messages that the store had confirmed before
// (the sender was told). Where nothing was killed that may repeat one, each is a
// finding.
function surplus({ row, ledger, rows, found }) {
  const known = new Set(rows.map((r) => r.id));
  let n = 0;
  const extra = (example) => {
    n++;
    if (!row.repeats) found.add('surplus push event', example);
  };
  for (const [id, events] of ledger.pushes) {
    if (!known.has(id)) found.add('pushed, not stored', id);
    for (const e of events.slice(1)) extra(`${id} again after ${e.queuedAt - events[0].queuedAt} ms`);
    const late = events[0].queuedAt - ledger.told.get(id);
    if (late > 0) extra(`${id} ${late} ms after it was confirmed`);
  }
  return n;
}

function growth(before, after, found) {
  const most = (list, what) => Math.max(...list.map((r) => r[what]));
  const more = ['master', 'workers'].map((what) => most(after, what) - most(before, what));
  const grown = Math.max(...more);
  if (grown > GROWTH_MAX) found.add('growth', `${(grown / MB).toFixed(1)} MB`);
  return grown / MB;
}

// -> { line: the row's columns, findings: lines of text }
export function balance({ row, ledger, rows, before, after, untrue, busy, leavers }) {
  const found = new Findings();
  const book = { row, ledger, rows, found };
  sends(book);
  order(book);
  const again = ledger.devices.reduce((n, d) => n + arrivals(d, book), 0);
  losses(book);
  told(book);
  const extra = surplus(book);
  for (const r of rows) if (r.owes) found.add('still owing', r.id);
  for (const u of untrue) found.add('presence untrue', u);
  for (const d of ledger.devices.filter(({ device }) => leavers.includes(device))) {
    if (!row.store && d.recovered < d.connections - 1) found.add('came back as a stranger', d.name);
  }
  for (const b of busy) found.add('left to do', b);
  for (const p of ledger.problems) found.add('never', p);
  const grown = growth(before, after, found);
  const sum = (...what) => what.reduce((n, w) => n + found.count(w), 0);
  return {
    findings: found.lines(),
    line: {
      sent: [...ledger.sent.values()].filter((m) => m.id).length,
      stored: rows.length,
      received: ledger.devices.reduce((n, d) => n + d.arrivals.length, 0),
      duplicates: sum('received twice', 'received again, though confirmed'),
      again,
      recovered: ledger.devices.reduce((n, d) => n + d.recovered, 0),
      disorder: sum('received out of order', 'out of order in the store'),
      lost: sum('not received', 'neither received nor pushed', 'message:sent, not stored'),
      pushed: ledger.pushes.size,
      surplus: extra,
      false: sum('false message:delivered', 'message:delivered, not in the store', 'delivered in the store, not received'),
      growth: grown,
    },
  };
}
