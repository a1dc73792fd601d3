// From one device to the others: everything, once, in order.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { eventually } from './lib/wait.mjs';

const N = 1000;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const increasing = (times) => times.every((t, i) => i === 0 || times[i - 1] < t);

// a and b each send N in one burst to the other.
async function exchange(c, { a, b, match }, on) {
  const [ca, cb] = [await c.connect(a, { on: on[0] }), await c.connect(b, { on: on[1] })];
  for (const client of [ca, cb]) {
    for (let i = 0; i < N; i++) client.emit('message:send', { matchId: match, content: `${client.user} ${i}`, tempId: i });
  }
  for (const [from, to] of [[ca, cb], [cb, ca]]) {
    const sent = await from.gotMany(N, 'message:sent', undefined, 30000);
    const came = await to.gotMany(N, 'message:new', undefined, 30000);
    const delivered = await from.gotMany(N, 'message:delivered', undefined, 30000);
    assert.deepEqual(from.all('error'), []);
    const ids = sent.map((m) => m.messageId);
    assert.deepEqual(sent.map((m) => m.tempId), [...Array(N).keys()], 'message:sent, in order');
    assert.ok(increasing(sent.map((m) => m.sentAt)), 'sentAt increases');
    assert.equal(new Set(ids).size, N);
    assert.deepEqual(came.map((m) => m.id), ids, 'message:new, in order');
    assert.deepEqual(came.map((m) => m.content), [...Array(N).keys()].map((i) => `${from.user} ${i}`));
    assert.deepEqual(came.map((m) => m.sentAt), sent.map((m) => m.sentAt));
    assert.ok(came.every((m) => m.senderId === from.user && m.matchId === match && !('tempId' in m)));
    assert.equal(new Set(delivered.map((m) => m.messageId)).size, N);
    assert.deepEqual(delivered.map((m) => m.messageId).sort(), ids.sort());
  }
  const rows = await c.store.messages(match);
  assert.equal(rows.length, 2 * N);
  for (const client of [ca, cb]) {
    assert.deepEqual(rows.filter((r) => r.senderId === client.user).map((r) => r.content),
      [...Array(N).keys()].map((i) => `${client.user} ${i}`));
    assert.equal(client.all('message:new').length, N, 'nothing twice');
    assert.equal(client.all('message:sent').length, N);
    assert.equal(client.all('message:delivered').length, N);
  }
  assert.ok(rows.every((r) => ISO.test(r.deliveredAt) && r.readAt === null));
}

// no ping but those that follow a message
await suite({ engine: { ping_interval: '10m' } }, {
  async 'a thousand each way, on one worker'(c) {
    const [one] = await c.instances();
    await exchange(c, await c.pair(), [one, one]);
  },

  async 'a thousand each way, on two workers'(c) {
    await exchange(c, await c.pair(), await c.instances());
  },

  async 'what the events and the row hold'(c) {
    const { a, b, match } = await c.pair();
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    const content = 'Grüße 👋 "quoted" \\ \n\t\u007f \u2028';
    const answer = await ca.ask('message:send', {
      matchId: match, content, type: 'image', mediaUrl: 'https://cdn.example/1.jpg', tempId: 'temp-1',
    });
    const sent = await ca.got('message:sent');
    assert.deepEqual(Object.keys(sent).sort(), ['messageId', 'sentAt', 'tempId']);
    assert.match(sent.messageId, /^[0-9a-f]{24}$/);
    assert.match(sent.sentAt, ISO);
    assert.equal(sent.tempId, 'temp-1');
    assert.equal(answer.ok, true);
    for (const key of Object.keys(sent)) assert.equal(answer[key], sent[key], key);
    assert.deepEqual(await cb.got('message:new'), {
      id: sent.messageId, matchId: match, senderId: a, content, type: 'image',
      mediaUrl: 'https://cdn.example/1.jpg', sentAt: sent.sentAt,
    });
    const delivered = await ca.got('message:delivered');
    assert.deepEqual(Object.keys(delivered).sort(), ['deliveredAt', 'messageId']);
    assert.equal(delivered.messageId, sent.messageId);
    assert.match(delivered.deliveredAt, ISO);
    assert.deepEqual(await c.store.messages(match), [{
      id: sent.messageId, matchId: match, senderId: a, recipientId: b, content, type: 'image',
      mediaUrl: 'https://cdn.example/1.jpg', sentAt: sent.sentAt, deliveredAt: delivered.deliveredAt, readAt: null,
    }]);
  },

  async 'the defaults: text, no media, no tempId'(c) {
    const { a, b, match } = await c.pair();
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    ca.emit('message:send', { matchId: match, content: 'x' });
    const message = await cb.got('message:new');
    assert.equal(message.type, 'text');
    assert.equal(message.mediaUrl ?? null, null);
    assert.equal((await ca.got('message:sent')).tempId ?? null, null);
    // without a tempId there is no recognition
    ca.emit('message:send', { matchId: match, content: 'x' });
    await cb.gotMany(2, 'message:new');
    assert.equal((await c.store.messages(match)).length, 2);
  },

  async 'content of 4,096 bytes is taken, of 4,097 refused'(c) {
    const { a, b, match } = await c.pair();
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    for (const ok of ['x'.repeat(4096), `${'é'.repeat(2047)}xy`]) {
      await ca.send(match, ok);
      await cb.got('message:new', (m) => m.content === ok);
    }
    for (const long of ['x'.repeat(4097), `${'é'.repeat(2048)}x`]) {
      const answer = await ca.ask('message:send', { matchId: match, content: long, tempId: 'long' });
      assert.equal(answer.ok, false);
      assert.equal(answer.code, 'MESSAGE_TOO_LARGE');
      const error = await ca.got('error', (e) => e.code === 'MESSAGE_TOO_LARGE');
      assert.equal(error.tempId, 'long');
    }
    assert.equal((await c.store.messages(match)).length, 2);
  },

  async 'the same tempId again: the same id, and no second message'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const [ca, cb] = [await c.connect(a, { on: one }), await c.connect(b)];
    const first = await ca.send(match, 'once', { tempId: 't' });
    const again = await ca.send(match, 'once', { tempId: 't' });
    // and from another device, through another worker
    const device = await c.connect(a, { on: two });
    const third = await device.send(match, 'once', { tempId: 't' });
    assert.deepEqual([again.messageId, third.messageId], [first.messageId, first.messageId]);
    assert.deepEqual([again.sentAt, third.sentAt], [first.sentAt, first.sentAt]);
    // a number is another tempId than its text; and what was sent before it has come
    const marker = await device.send(match, 'last', { tempId: 1 });
    const other = await device.send(match, 'last', { tempId: '1' });
    assert.notEqual(marker.messageId, other.messageId);
    await cb.got('message:new', (m) => m.id === other.messageId);
    assert.equal(cb.all('message:new', (m) => m.content === 'once').length, 1);
    assert.equal((await c.store.messages(match)).length, 3);
  },

  async 'a burst of one tempId through two workers is one message'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const cb = await c.connect(b);
    const devices = [await c.connect(a, { on: one }), await c.connect(a, { on: two })];
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => devices[i % 2].send(match, 'burst', { tempId: 'b' })));
    assert.equal(new Set(answers.map((r) => r.messageId)).size, 1);
    const end = await devices[0].send(match, 'end');
    await cb.got('message:new', (m) => m.id === end.messageId);
    assert.equal(cb.all('message:new', (m) => m.content === 'burst').length, 1);
    assert.equal((await c.store.messages(match)).length, 2);
  },

  async 'the same tempId with other content is refused'(c) {
    const { a, b, match } = await c.pair();
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    await ca.send(match, 'first', { tempId: 't' });
    for (const other of [{ content: 'second' }, { content: 'first', type: 'voice' }, { content: 'first', mediaUrl: 'https://x.example/' }]) {
      const answer = await ca.ask('message:send', { matchId: match, tempId: 't', ...other });
      assert.equal(answer.ok, false, JSON.stringify(other));
      assert.equal(answer.code, 'INVALID_PAYLOAD');
    }
    const errors = await ca.gotMany(3, 'error');
    assert.ok(errors.every((e) => e.code === 'INVALID_PAYLOAD' && e.tempId === 't'));
    await cb.got('message:new');
    assert.deepEqual((await c.store.messages(match)).map((r) => r.content), ['first']);
  },

  async 'all devices of both get it'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const sender = await c.connect(a, { on: one });
    const others = [await c.connect(a, { on: one }), await c.connect(a, { on: two })];
    const recipients = [await c.connect(b, { on: one }), await c.connect(b, { on: two }), await c.connect(b, { on: two })];
    const sent = await sender.send(match, 'to all', { tempId: 77 });
    for (const device of recipients) {
      const message = await device.got('message:new');
      assert.equal(message.id, sent.messageId);
      assert.equal('tempId' in message, false);
    }
    for (const device of others) {
      const copy = await device.got('message:new');
      assert.equal(copy.id, sent.messageId);
      assert.equal(copy.senderId, a);
      assert.equal(copy.tempId, 77);
    }
    for (const device of [sender, ...others]) {
      await device.got('message:delivered', (d) => d.messageId === sent.messageId);
    }
    assert.equal(sender.all('message:new').length, 0, 'not to the connection that sent it');
    assert.ok(others.every((device) => device.all('message:sent').length === 0), 'message:sent only to that');
  },

  async 'one device leaving leaves the others receiving'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const sender = await c.connect(a);
    const stays = await c.connect(b, { on: one });
    for (const on of [one, two]) {
      const leaves = await c.connect(b, { on });
      await sender.send(match, `before ${on}`);
      await leaves.got('message:new', (m) => m.content === `before ${on}`);
      leaves.close();
      // gone there too, before the next message
      await eventually(async (note) => {
        const sockets = (await c.status()).slots.reduce((n, w) => n + w.stats.sockets, 0);
        note(sockets);
        return sockets === 2;
      }, 'two sockets left');
      const after = await sender.send(match, `after ${on}`);
      await stays.got('message:new', (m) => m.id === after.messageId);
      await sender.got('message:delivered', (d) => d.messageId === after.messageId);
    }
  },
});
