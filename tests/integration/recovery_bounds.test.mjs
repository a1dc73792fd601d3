// Beyond the window, and beyond what is worth catching up, a client starts
// fresh: with what nobody of its user has.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from './lib/cluster.mjs';

const numbers = (n, from = 0) => Array.from({ length: n }, (_, i) => from + i);
const contents = (client) => client.all('message:new').map((m) => Number(m.content));

async function sendAll(client, match, list) {
  return Promise.all(list.map((i) => client.send(match, String(i), { tempId: i })));
}

await suite({ chat: { offline_grace: '1s', recovery_events: 150 } }, {
  async 'as many as are worth it, and one more'(c) {
    for (const [missed, expected] of [[150, true], [151, false]]) {
      const { a, b, match } = await c.pair();
      const ca = await c.connect(a);
      const cb = await c.connect(b);
      const before = cb.socket.id;
      await cb.leave();
      // seen by another device: only the offset brings it back
      const other = await c.connect(b);
      await sendAll(ca, match, numbers(missed));
      await ca.gotMany(missed, 'message:delivered');
      other.close();
      assert.equal(await cb.comeBack(), expected, String(missed));
      assert.equal(cb.socket.id === before, expected);
      if (expected) {
        await cb.gotMany(missed, 'message:new');
        assert.deepEqual(contents(cb), numbers(missed));
      }
      const last = await ca.send(match, '1000');
      await cb.got('message:new', (m) => m.id === last.messageId);
      assert.equal(cb.all('message:new').length, (expected ? missed : 0) + 1);
    }
  },
});

// An offset reaches 60 s back: the window here is a little longer.
await suite({ chat: { offline_grace: '1s', recovery_window: '62s' } }, {
  async 'later than the window'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const cb = await c.connect(b);
    await cb.leave();
    const gone = Date.now();
    await ca.send(match, '1');
    const seen = await c.connect(b);
    await seen.got('message:new');
    await ca.got('message:delivered');
    seen.close();
    await ca.send(match, '2');
    await sleep(gone + 3500 - Date.now());	// time itself is what is tested
    assert.ok(!await cb.comeBack());
    await cb.got('message:new');
    await cb.roundTrip();
    assert.deepEqual(contents(cb), [2], 'what nobody has');
  },
});
