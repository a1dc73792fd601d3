// What an operator reads in `status`: each counter moves for its reason.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { eventually } from './lib/wait.mjs';

const totals = async (c) => (await c.status()).totals;

// The counters grow by just this when do() is done (others may grow too).
async function moves(c, by, act) {
  const before = await totals(c);
  await act();
  await eventually(async (note) => {
    const now = await totals(c);
    const moved = Object.fromEntries(Object.keys(by).map((k) => [k, now[k] - before[k]]));
    note(moved);
    return Object.entries(by).every(([k, n]) => moved[k] === n);
  }, `counters ${JSON.stringify(by)}`);
}

await suite({ auth: { jwt_leeway: '0ms' }, engine: { max_payload: 200000 }, chat: { content_max: 1000 } }, {
  async 'connections and their ends'(c) {
    const user = await c.user();
    await moves(c, { accepted: 1, http_refused: 1 }, () => fetch(`${c.url}/nothing`));
    await moves(c, { auth_failed: 1 }, () => assert.rejects(c.tryConnect({ token: 'x' })));
    await moves(c, { closed_client: 1 }, async () => (await c.connect(user)).close());
    for (const [counter, frame] of [['closed_parse', 'no packet'], ['closed_protocol', '4no packet']]) {
      await moves(c, { closed_parse: 0, closed_protocol: 0, [counter]: 1 }, async () => {
        const raw = await c.rawJoin(user);
        raw.send(frame);
        await raw.gone();
      });
    }
    await moves(c, { closed_too_large: 1 }, async () => {
      const raw = await c.rawJoin(user);
      raw.send(`42["x","${'x'.repeat(300000)}"]`);
      await raw.gone();
    });
    // in fragments, of which none is
    await moves(c, { closed_too_large: 1, events_in: 0 }, async () => {
      const raw = await c.rawJoin(user);
      raw.ws.send(`42["x","${'x'.repeat(50000)}`, { fin: false });
      for (let i = 0; i < 4; i++) raw.ws.send('x'.repeat(50000), { fin: false });
      raw.ws.send('"]');
      await raw.gone();
    });
    await moves(c, { closed_auth: 1 }, async () => {
      const { client } = await c.untilItExpires(user, (token) => c.raw().join({ token }));
      await client.gone();
    });
    const far = await c.anotherHost({ server: { workers: 1 }, engine: { ping_interval: '300ms', ping_timeout: '500ms' } });
    await moves(far, { closed_ping_timeout: 1 }, () => far.raw({ answerPings: false }).gone());
    await far.stop();
  },

  async 'messages and their ways'(c) {
    const { a, b, match } = await c.pair();
    const away = await c.user();
    const other = await c.match(a, away);
    const [one, two] = await c.instances();
    const ca = await c.connect(a, { on: one });
    const cb = await c.connect(b, { on: two });
    let sent;
    await moves(c, { messages_accepted: 1, messages_emitted: 1, messages_confirmed: 1, push_queued: 0 }, async () => {
      sent = await ca.send(match, 'hello', { tempId: 't' });
      await ca.got('message:delivered');
    });
    await moves(c, { messages_duplicate: 1, messages_accepted: 0 }, () => ca.send(match, 'hello', { tempId: 't' }));
    await moves(c, { messages_read: 1 }, () => cb.ask('message:read', { matchId: match, messageIds: [sent.messageId] }));
    await moves(c, { events_in: 2, events_refused: 2 }, async () => {
      await ca.ask('message:send', null);
      await ca.ask('no:such', {});
    });
    await moves(c, { push_queued: 1, messages_emitted: 0 }, () => ca.send(other, 'are you there?'));
    await moves(c, { events_refused: 1 }, async () => {
      const answer = await ca.ask('message:send', { matchId: match, content: 'x'.repeat(150000) });
      assert.equal(answer.code, 'MESSAGE_TOO_LARGE');
    });
  },

  async 'gauges follow who is there'(c) {
    const { a, b } = await c.pair();
    const clients = [await c.connect(a), await c.connect(a), await c.connect(b)];
    await eventually(async (note) => {
      const t = await totals(c);
      note(t);
      return t.sockets === 3 && t.sessions === 3 && t.connections === 3 && t.users >= 2 && t.outbox_bytes === 0;
    }, 'three sockets');
    for (const client of clients) client.close();
    await eventually(async () => {
      const t = await totals(c);
      return t.sockets === 0 && t.sessions === 0 && t.connections === 0 && t.users === 0;
    }, 'nobody');
  },
});
