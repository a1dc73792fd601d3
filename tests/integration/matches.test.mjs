// Only the two of a live match may speak in it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { suite } from './lib/cluster.mjs';
import { eventually } from './lib/wait.mjs';

const calls = (match, id) => [
  ['message:send', { matchId: match, content: 'x', tempId: 't' }],
  ['message:typing', { matchId: match, isTyping: true }],
  ['message:read', { matchId: match, messageIds: [id] }],
];

async function allRefused(client, match, id = 'a'.repeat(24)) {
  for (const [event, payload] of calls(match, id)) {
    const answer = await client.ask(event, payload);
    assert.deepEqual([answer.ok, answer.code], [false, 'INVALID_MATCH'], event);
  }
  const errors = client.all('error', (e) => e.code === 'INVALID_MATCH');
  assert.equal(errors.length, 3);
  assert.equal(errors[0].tempId, 't');
  assert.ok(errors.every((e) => typeof e.message === 'string'));
}

await suite({}, {
  async 'a match that is not'(c) {
    const client = await c.connect(await c.user());
    await allRefused(client, randomUUID());
  },

  async 'a match of others'(c) {
    const { a, b, match } = await c.pair();
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    const stranger = await c.connect(await c.user());
    const { messageId } = await ca.send(match, 'private');
    await cb.got('message:new');
    await allRefused(stranger, match, messageId);
    const [row] = await c.store.messages(match);
    assert.equal(row.readAt, null);
    assert.equal((await c.store.messages(match)).length, 1);
  },

  async 'a match that is over'(c) {
    const { a, b, match } = await c.pair();
    await c.unmatch(match);
    await allRefused(await c.connect(a), match);
    await allRefused(await c.connect(b), match);
  },

  async 'an unmatch takes effect at once, on every worker'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const clients = [await c.connect(a, { on: one }), await c.connect(b, { on: two })];
    const { messageId } = await clients[0].send(match, 'before');
    await clients[1].got('message:new');
    await clients[1].send(match, 'before');
    // what is sent in another match of theirs comes after all that was sent in
    // this one; each has seen then what the other did before
    const other = await c.match(a, b);
    const settle = async (isTyping) => {
      for (const client of clients) await client.ask('message:typing', { matchId: other, isTyping });
      for (const client of clients) await client.got('user:typing', (t) => t.matchId === other && t.isTyping === isTyping);
      return clients.map((client) => client.all('user:typing', (t) => t.matchId === match).length);
    };
    await c.unmatch(match);
    for (const client of clients) {
      await eventually(async () => {
        const answer = await client.ask('message:typing', { matchId: match, isTyping: true });
        return answer.code === 'INVALID_MATCH';
      }, 'refused');
    }
    const typed = await settle(true);
    for (const client of clients) {
      for (const [event, payload] of calls(match, messageId)) {
        const answer = await client.ask(event, payload);
        assert.deepEqual([answer.ok, answer.code], [false, 'INVALID_MATCH'], event);
      }
    }
    assert.deepEqual(await settle(false), typed, 'typing after the unmatch');
    assert.deepEqual(clients[0].all('message:read'), []);
    assert.equal((await c.store.messages(match)).length, 2);
  },

  async 'a match made while connected works at once'(c) {
    const [a, b] = [await c.user(), await c.user()];
    const id = randomUUID();
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    // looked up, and not found, before it is there
    assert.equal((await ca.ask('message:send', { matchId: id, content: 'x' })).code, 'INVALID_MATCH');
    await c.pg.query('INSERT INTO matches (id, user_a_id, user_b_id) VALUES ($1, $2, $3)', [id, a, b]);
    await eventually(async () => (await ca.ask('message:send', { matchId: id, content: 'y', tempId: 1 })).ok, 'accepted');
    await cb.got('message:new');
  },

  async 'last_message_at is written'(c) {
    const { a, match } = await c.pair();
    const ca = await c.connect(a);
    const { sentAt } = await ca.send(match, 'x');
    await eventually(async (note) => {
      const { rows } = await c.pg.query('SELECT last_message_at FROM matches WHERE id = $1', [match]);
      note(rows[0].last_message_at);
      return rows[0].last_message_at?.toISOString() === sentAt;
    }, 'last_message_at');
  },
});
