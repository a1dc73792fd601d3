// Who wants too much is told so, and how much later to come back; nobody else
// notices.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { eventually } from './lib/wait.mjs';

const RATE = 1;
const BURST = 5;
const CONNECTIONS = 3;

const counter = async (c, name) => (await c.status()).totals[name];

// Asks until it is taken: every time before retryAfter is over may be refused,
// none after it.
async function whenItMay(client, refusal, send) {
  const until = performance.now() + refusal.retryAfter;
  return eventually(async (note) => {
    const asked = performance.now();
    const answer = await client.ask('message:send', send);
    note(answer);
    assert.ok(answer.ok || asked < until, `refused ${asked - until} ms after retryAfter`);
    return answer.ok && answer;
  }, 'taken');
}

// How many have grown again since then, at most.
const grown = (since) => 1 + Math.ceil(RATE * (performance.now() - since) / 1000);

// Sends until one is refused: { taken, refusal, at }.
async function useUp(client, matchId, { content = 'x', tempId } = {}) {
  for (let taken = 0; ; taken++) {
    const at = performance.now();
    const refusal = await client.ask('message:send', { matchId, content, tempId });
    if (!refusal.ok) return { taken, refusal, at };
    assert.ok(taken < 100, 'no limit');
  }
}

function isLimited(answer) {
  assert.deepEqual([answer.ok, answer.code], [false, 'RATE_LIMITED']);
  assert.equal(typeof answer.message, 'string');
  assert.ok(Number.isInteger(answer.retryAfter) && answer.retryAfter > 0 && answer.retryAfter <= 1000 / RATE, `${answer.retryAfter}`);
}

await suite({ limits: { message_rate: RATE, message_burst: BURST, user_connections: CONNECTIONS }, chat: { content_max: 10 } }, {
  async 'a burst, then RATE_LIMITED, in the acknowledgement and as error; later it is taken'(c) {
    const { a, b, match } = await c.pair();
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    const before = await counter(c, 'limited_messages');
    const since = performance.now();
    for (let i = 0; i < BURST - 1; i++) await ca.send(match, `${i}`);
    // each of another tempId: one more is a message
    let more = 0;
    let answer;
    do {
      answer = await ca.ask('message:send', { matchId: match, content: 'more', tempId: `more ${++more}` });
    } while (answer.ok && more < 100);
    isLimited(answer);
    const taken = BURST - 1 + more - 1;
    assert.ok(taken >= BURST && taken <= BURST + grown(since), String(taken));
    assert.equal(answer.tempId, `more ${more}`);
    const { ok, ...members } = answer;
    assert.deepEqual(ca.all('error'), [members]);
    assert.equal(await counter(c, 'limited_messages'), before + 1);
    assert.equal((await c.store.messages(match)).length, taken, 'not stored');
    // the other may
    await cb.send(match, 'I may');
    const sent = await whenItMay(ca, answer, { matchId: match, content: 'later', tempId: answer.tempId });
    await cb.got('message:new', (m) => m.id === sent.messageId);
    assert.deepEqual((await c.store.messages(match)).filter((m) => m.content === 'later').length, 1);
  },

  async 'a resend counts, and is recognised once it may'(c) {
    const { a, match } = await c.pair();
    const ca = await c.connect(a);
    const first = await ca.send(match, 'x', { tempId: 't' });
    const since = performance.now();
    const { taken, refusal } = await useUp(ca, match, { tempId: 't' });
    isLimited(refusal);
    assert.ok(taken >= BURST - 1 && taken <= BURST + grown(since), String(taken));
    const again = await whenItMay(ca, refusal, { matchId: match, content: 'x', tempId: 't' });
    assert.equal(again.messageId, first.messageId);
    assert.equal((await c.store.messages(match)).length, 1);
  },

  async 'neither reconnecting nor a second device brings a fresh burst'(c) {
    const { a, match } = await c.pair();
    const [one] = await c.instances();
    const first = await c.connect(a, { on: one });
    const { at } = await useUp(first, match);
    const second = await c.connect(a, { on: one });
    const there = await useUp(second, match);
    isLimited(there.refusal);
    assert.ok(there.taken <= grown(at), `second device: ${there.taken}`);
    first.close();
    second.close();
    await eventually(async () => (await c.worker(one)).stats.users === 0, 'he left');
    const again = await c.connect(a, { on: one });
    const here = await useUp(again, match);
    isLimited(here.refusal);
    assert.ok(here.taken <= grown(there.at), `after reconnecting: ${here.taken}`);
  },

  async 'only message:send that could be stored counts'(c) {
    const { a, match } = await c.pair();
    const ca = await c.connect(a);
    for (let i = 0; i < 3 * BURST; i++) {
      assert.equal((await ca.ask('message:send', { matchId: match })).code, 'INVALID_PAYLOAD');
      assert.equal((await ca.ask('message:typing', { matchId: match, isTyping: true })).ok, true);
    }
    for (let i = 0; i < BURST; i++) await ca.send(match, `${i}`);
  },

  async 'content_max counts bytes'(c) {
    const { a, match } = await c.pair();
    const ca = await c.connect(a);
    const before = await counter(c, 'limited_content');
    await ca.send(match, 'ééééé');
    const answer = await ca.ask('message:send', { matchId: match, content: 'éééééé' });
    assert.equal(answer.code, 'MESSAGE_TOO_LARGE');
    assert.equal(await counter(c, 'limited_content'), before + 1);
  },

  async 'connections of one user'(c) {
    const [a, b] = [await c.user(), await c.user()];
    const [one, two] = await c.instances();
    const before = await counter(c, 'limited_users');
    const mine = [];
    for (let i = 0; i < CONNECTIONS; i++) mine.push(await c.connect(a, { on: one }));
    await assert.rejects(c.connect(a, { on: one }), (err) => {
      assert.equal(err.message, 'Too many connections');
      assert.deepEqual(err.data, { code: 'RATE_LIMITED' });
      return true;
    });
    assert.equal(await counter(c, 'limited_users'), before + 1);
    await c.connect(b, { on: one });
    await c.connect(a, { on: two });
    mine.pop().close();
    await eventually(async () => (await c.worker(one)).stats.sockets === CONNECTIONS, 'one left');
    await c.connect(a, { on: one });
  },
});
