// How a row goes: load, blow, recovery, rest, books.
import { eventually } from '../../integration/lib/wait.mjs';
import { balance } from './books.mjs';
import { mix } from './cast.mjs';
import { MS, PRESENCE_MS } from './settings.mjs';
import { World } from './world.mjs';

// Of each sender, before it begins.
const WARM = 5;
const RECOVERY_MS = 30000;
const REST_MS = 30000;
// Who leaves is away for longer than a push takes to fall due.
const AWAY_MS = MS.deliveryTimeout + MS.grace + 500;
// The load goes on for so long when all is well again.
const AFTER_MS = 2500;

async function warm(w) {
  for (const s of w.senders) s.start();
  await eventually((note) => {
    const cold = w.senders.filter((s) => [...w.ledger.sent.values()].filter((m) => m.user === s.user && w.ledger.told.has(m.id)).length < WARM);
    note(cold.map((s) => s.user.name));
    return cold.length === 0;
  }, 'messages flow', RECOVERY_MS);
}

// Those who are not there when it happens.
function depart(w) {
  for (const { b, senders, kind } of w.pairs) {
    const own = senders.find((s) => s.user === b);
    if (kind === 'gone') {
      own.close();
      b.devices[0].close();
    }
    if (kind === 'leaves' || kind === 'reloads') b.devices[0].leave();
  }
}

function comeBack(w) {
  for (const { b } of w.of('leaves')) b.devices[0].back();
  for (const { b } of w.of('reloads')) b.devices[0].reload();
}

// Presence is what is true; how long that took from the moment given.
async function truth(w, since, ms) {
  await eventually(async (note) => {
    const wrong = await w.untrue();
    note(wrong.map((u) => `${u.name} is ${u.online ? '' : 'not '}online`));
    return wrong.length === 0;
  }, 'presence is true', Math.max(1, since + ms - Date.now()));
  return Date.now() - since;
}

// Until every pair that is there had a message, written after `since`, stored,
// received and told.
async function recovered(w, since) {
  const gone = new Set(w.of('gone').map((p) => p.b));
  const quit = new Set(w.of('quits').map((p) => p.b).filter((u) => !u.online));
  const there = w.senders.filter((s) => !s.stopped && !gone.has(s.peer) && !quit.has(s.peer));
  await eventually((note) => {
    const fresh = new Set();
    for (const m of w.ledger.sent.values()) {
      if (m.attempts[0]?.at >= since && w.ledger.told.has(m.id)) fresh.add(m.user);
    }
    const waiting = there.filter((s) => !fresh.has(s.user));
    note(waiting.map((s) => s.user.name));
    return waiting.length === 0;
  }, 'every pair talks again', RECOVERY_MS);
  return Date.now() - since;
}

// No more is written; until nothing is owed to anyone, or it takes too long, in
// which case the books say what is missing.
async function rest(w) {
  for (const s of w.senders) s.stop();
  let rows = [];
  await eventually(async () => {
    if (w.senders.some((s) => s.unanswered > 0)) return false;
    rows = await w.stored();
    if (rows.some((r) => r.owes) || (await w.busy()).length > 0 || (await w.untrue()).length > 0) return false;
    const has = new Set(w.ledger.devices.flatMap((d) => d.arrivals.map((m) => m.id)));
    return rows.every((r) => has.has(r.id) || w.ledger.pushes.has(r.id));
  }, 'rest', REST_MS).catch(() => {});
  return rows;
}

const hold = (ms) => new Promise((done) => { setTimeout(done, ms); });

async function course(w, row) {
  const line = {};
  await warm(w);
  const before = w.hosts.map((h) => h.rss());
  depart(w);
  const blow = Date.now();
  const undo = await row.strike(w);
  const presence = row.presence && await truth(w, blow, PRESENCE_MS[row.presence]);
  await undo?.();
  const well = Date.now();
  await hold(blow + AWAY_MS - well);
  comeBack(w);
  line.recovery = await recovered(w, well);
  line.presence = presence || await truth(w, well, PRESENCE_MS.death);
  await hold(well + AFTER_MS - Date.now());
  for (const h of w.living) await h.ready();
  const rows = await rest(w);
  const after = w.living.map((h) => h.rss());
  const books = balance({ row, ledger: w.ledger, rows, before, after, untrue: await w.untrue(), busy: await w.busy() });
  return { line: { mix: mix(w.pairs), ...line, ...books.line }, findings: books.findings.lines() };
}

// -> { line, findings: [text], seconds }; never throws.
export async function play(job) {
  const begin = Date.now();
  const result = { line: {}, findings: [] };
  let w;
  try {
    w = await World.create(job);
    Object.assign(result, await course(w, job.row));
  } catch (err) {
    result.findings.push(err.stack);
  }
  await w?.close().catch((err) => result.findings.push(err.stack));
  return { ...result, seconds: (Date.now() - begin) / 1000 };
}
