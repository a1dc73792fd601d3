// Waiting for things that happen, each with a deadline. No test sleeps.

// A sanitizer build is slower; so are the deadlines then (never what is tested).
const slow = Number(process.env.PW_TEST_SLOW || 1);

export const DEADLINE = 5000;

export function withDeadline(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms * slow} ms: ${describe(what)}`)), ms * slow);
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

// For what tells nobody when it changes (a table, a process): asks again until
// fn returns something true, and returns that.
export async function eventually(fn, what, ms = DEADLINE) {
  const end = Date.now() + ms * slow;
  let last;
  for (;;) {
    const value = await fn((note) => { last = note; });
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${ms * slow} ms: ${describe(what)}${last === undefined ? '' : `; last: ${JSON.stringify(last)}`}`);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}
