// Waiting for things that happen, each with a deadline. No test sleeps.

// A sanitizer build is slower; so are the deadlines then (never what is tested).
export const slow = Number(process.env.PW_TEST_SLOW || 1);

// What comes may be late: on a busy machine any process, this one too, stands
// still for seconds. This ends the wait for what never comes.
export const DEADLINE = 30000;

// Not so long that the test's own deadline (cluster.mjs) comes first: it would
// not say what was missing.
const LONGEST = 90000;
const allowed = (ms) => Math.max(ms, Math.min(ms * slow, LONGEST));

export function withDeadline(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${allowed(ms)} ms: ${describe(what)}`)), allowed(ms));
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function describe(what) {
  return typeof what === 'function' ? what() : what;
}

// Resolves with the arguments of the first `event` that the predicate accepts.
export function until(emitter, event, predicate = () => true, ms = DEADLINE) {
  let listener;
  const seen = new Promise((resolve) => {
    listener = (...args) => predicate(...args) && resolve(args);
    emitter.on(event, listener);
  });
  return withDeadline(seen, ms, event).finally(() => emitter.off(event, listener));
}

// For what shows something only if it is done in less than ms: again until it was.
// fn calls begin() when that counts, else all of it does. Returns what fn did.
export async function within(ms, fn) {
  for (let tries = 0; tries < 20; tries++) {
    let since = performance.now();
    const result = await fn(() => { since = performance.now(); });
    if (performance.now() - since < ms) return result;
  }
  throw new Error(`twenty times not within ${ms} ms`);
}

// How long this machine stands still from now on, in ms: by how much a timer of ours
// is late. end() stops looking, and tells.
export function standstill() {
  const STEP = 20;
  let last = performance.now();
  let sum = 0;
  const look = () => {
    const now = performance.now();
    sum += Math.max(0, now - last - 2 * STEP);
    last = now;
  };
  const timer = setInterval(look, STEP).unref();
  return { end() { clearInterval(timer); look(); return sum; } };
}

// For what tells nobody when it changes (a table, a process): asks again until
// fn returns something true, and returns that.
export async function eventually(fn, what, ms = DEADLINE) {
  const end = Date.now() + allowed(ms);
  let last;
  for (;;) {
    const value = await fn((note) => { last = note; });
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${allowed(ms)} ms: ${describe(what)}${last === undefined ? '' : `; last: ${JSON.stringify(last)}`}`);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}
