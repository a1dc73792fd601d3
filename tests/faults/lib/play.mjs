// How a row goes: load, blow, recovery, rest, books.
import assert from 'node:assert/strict';
import { eventually, standstill } from '../../integration/lib/wait.mjs';
import { balance } from './books.mjs';
import { mix } from './cast.mjs';
import { MS, PRESENCE_MS } from './settings.mjs';
import { World } from './world.mjs';

// Of each sender, before it begins.
const WARM = 3;
// That comes in a few seconds, which the table shows, and never, or on a busy
// machine late.
const RECOVERY_MS = 60000;
const REST_MS = 60000;
// Between two looks at the books.
const PAUSE_MS = 200;
// Who leaves is away for longer than a push takes to fall due.
const AWAY_MS = MS.deliveryTimeout + MS.grace + 500;
// The load goes on for so long when all is well again.
const AFTER_MS = 2500;

const hold = (ms) => new Promise((done) => { setTimeout(done, ms); });

// Neither of the two has lost a connection that he does not make again.
const alive = (s) => [s.device, ...s.peer.devices].every((d) => d.up || d.reconnect !== false);

async function warm(w) {
  for (const s of w.senders) s.start();
  await eventually((note) => {
    const told = new Map();
    for (const m of w.ledger.sent.values()) if (w.ledger.told.has(m.id)) told.set(m.user, (told.get(m.user) ?? 0) + 1);
    const cold = w.senders.filter((s) => alive(s) && !(told.get(s.user) >= WARM));
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

// Presence is what is true; how long that took from the moment given, since when
// `still` looks.
async function truth(w, since, ms, still) {
  await eventually(async (note) => {
    const wrong = await w.untrue();
    note(wrong);
    return wrong.length === 0;
  }, 'presence is true', RECOVERY_MS);
  const took = Date.now() - since;
  const lost = Math.round(still.end());
  assert.ok(took <= ms + lost, `presence is true after ${took} ms, not ${ms} (the machine stood still for ${lost})`);
  return took;
}

// Until every pair that is there had a message, written after `since`, stored,
// received and told.
async function recovered(w, since) {
  const gone = new Set(w.of('gone').map((p) => p.b));
  const there = w.senders.filter((s) => !s.stopped && !gone.has(s.peer));
  await eventually((note) => {
    const fresh = new Set();
    for (const m of w.ledger.sent.values()) {
      if (m.attempts[0]?.at >= since && w.ledger.told.has(m.id)) fresh.add(m.user);
    }
    const waiting = there.filter((s) => alive(s) && !fresh.has(s.user));
    note(waiting.map((s) => s.user.name));
    return waiting.length === 0;
  }, 'every pair talks again', RECOVERY_MS);
  return Date.now() - since;
}

// No more is written. The books, as soon as they balance, or as they are when
// that takes too long.
async function rest(w, row, before) {
  for (const s of w.senders) s.stop();
  const end = Date.now() + REST_MS;
  const leavers = w.of('leaves').flatMap((p) => p.b.devices);
  for (;;) {
    const [rows, untrue, busy] = await Promise.all([w.stored(), w.untrue(), w.busy()]);
    const after = w.living.map((h) => h.rss());
    const books = balance({ row, ledger: w.ledger, rows, before, after, untrue, busy, leavers });
    if (books.findings.length === 0 || Date.now() > end) return books;
    await hold(PAUSE_MS);
  }
}

async function course(w, row) {
  const line = {};
  await warm(w);
  const before = w.hosts.map((h) => h.rss());
  depart(w);
  const blow = Date.now();
  const sinceBlow = row.presence && standstill();
  const undo = await row.strike(w);
  const presence = row.presence && await truth(w, blow, PRESENCE_MS[row.presence], sinceBlow);
  await undo?.();
  const well = Date.now();
  const sinceWell = !row.presence && standstill();
  await hold(blow + AWAY_MS - well);
  comeBack(w);
  line.recovery = await recovered(w, well);
  line.presence = presence || await truth(w, well, PRESENCE_MS.back, sinceWell);
  await hold(well + AFTER_MS - Date.now());
  for (const h of w.living) await h.ready();
  const books = await rest(w, row, before);
  await w.explain(books.findings);
  return { line: { mix: mix(w.pairs), ...line, ...books.line }, findings: books.findings };
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
