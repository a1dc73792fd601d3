// Who is away gets a push event; who has the message does not.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';

await suite({ chat: { offline_grace: '500ms' }, push: { push_ttl: '1h' } }, {
  async 'one push event for one who is away'(c) {
    const [ann, bob] = [await c.user('Änne'), await c.user('Bob')];
    const match = await c.match(ann, bob);
    const ca = await c.connect(ann);
    const before = Date.now();
    const sent = await ca.send(match, `${'ü'.repeat(99)}👋and more`);
    const [event, ...more] = await c.pushed(bob);
    assert.deepEqual(more, []);
    const { queuedAt, expiresAt, ...rest } = event;
    assert.deepEqual(rest, {
      v: 1, userId: bob, type: 'new_message',
      data: { matchId: match, senderId: ann, senderName: 'Änne', content: `${'ü'.repeat(99)}👋`, messageId: sent.messageId },
    });
    assert.ok(Math.abs(Date.parse(queuedAt) - before) < 60000, queuedAt);
    const ttl = Date.parse(expiresAt) - Date.parse(queuedAt);
    assert.ok(Math.abs(ttl - 3600e3) <= 60000, `${ttl}`);
    const [row] = await c.store.messages(match);
    assert.equal(row.deliveredAt, null);
    assert.deepEqual(ca.all('message:delivered'), []);
  },

  async 'no push for what was delivered'(c) {
    const { a, b, match } = await c.pair();
    const away = await c.user();
    const other = await c.match(a, away);
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    for (let i = 0; i < 20; i++) await ca.send(match, `delivered ${i}`);
    await ca.gotMany(20, 'message:delivered');
    await ca.send(other, 'not delivered');
    await c.pushed(away);
    assert.deepEqual(await c.pushes(b), []);
    assert.equal(cb.all('message:new').length, 20);
  },

  async 'what is read queues nothing, unless push_take_back is on'(c) {
    const { a, b, match } = await c.pair();
    const away = await c.user();
    const other = await c.match(a, away);
    const ca = await c.connect(a);
    const { messageId } = await ca.send(match, 'for later');
    await c.pushed(b);
    const cb = await c.connect(b);
    await cb.got('message:new', (m) => m.id === messageId);
    cb.socket.emit('message:read', { matchId: match, messageIds: [messageId] });
    await ca.got('message:read');
    await ca.send(other, 'behind it');
    await c.pushed(away);
    assert.deepEqual((await c.pushes(b)).map((e) => e.type), ['new_message']);
  },

  async 'a push for each message, and one only'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const ids = [];
    for (let i = 0; i < 20; i++) ids.push((await ca.send(match, `m${i}`, { tempId: i })).messageId);
    await ca.send(match, 'm0', { tempId: 0 });
    const events = await c.pushed(b, 20);
    assert.deepEqual(events.map((e) => e.data.messageId).sort(), ids.sort());
  },
});
