// Two things at once: connecting and being sent to, changing workers and sending.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { KIND } from './lib/store.mjs';
import { eventually } from './lib/wait.mjs';

const BURST = KIND === 'pg' ? 2000 : 300;

const tests = {
  async 'nothing is lost on one who is just connecting'(c) {
    const a = await c.user();
    const ca = await c.connect(a);
    for (let round = 0; round < 12; round++) {
      const b = await c.user();
      const match = await c.match(a, b);
      await ca.send(match, 'before');
      let flooding = true;
      const sent = [];
      const flood = (async () => {
        while (flooding) sent.push(...await Promise.all([1, 2, 3, 4].map((i) => ca.send(match, `m${i}`))));
      })();
      const cb = await c.connect(b);
      await ca.send(match, 'after');
      flooding = false;
      await flood;
      // each is on the device or has its push
      await eventually(async () => {
        const known = new Set([...cb.all('message:new').map((m) => m.id), ...(await c.pushes(b)).map((e) => e.data.messageId)]);
        return sent.every((m) => known.has(m.messageId));
      }, 'every message on the device or in the queue');
      const came = cb.all('message:new').map((m) => m.sentAt);
      assert.deepEqual(came, [...came].sort(), 'in order');
      cb.close();
    }
  },

  async 'sentAt goes on when the sender changes workers'(c) {
    const { a, match } = await c.pair();
    const [one, two] = await c.instances();
    const warm = await c.connect(a, { on: one });
    await warm.send(match, 'warm');
    warm.close();
    const burst = await c.connect(a, { on: two });
    for (let i = 0; i < BURST; i++) burst.emit('message:send', { matchId: match, content: `${i}` });
    const sent = await burst.gotMany(BURST, 'message:sent', undefined, 30000);
    const last = sent.at(-1).sentAt; // ahead of the clock: a millisecond a message
    burst.close();
    const back = await c.connect(a, { on: one });
    const answer = await back.send(match, 'after');
    assert.ok(answer.sentAt > last, `${answer.sentAt} after ${last}`);
  },
};

// Any store would do; FerretDB takes minutes for so many.
if (KIND === 'pg') {
  Object.assign(tests, {
    async 'one client cannot pile up work'(c) {
      const { a, match } = await c.pair();
      const ca = await c.connect(a);
      for (let i = 0; i < 12000; i++) ca.emit('message:send', { matchId: match, content: 'x', tempId: i });
      const answers = () => ca.all('message:sent').length + ca.all('error').length;
      await eventually(() => answers() === 12000, 'every send answered', 60000);
      assert.ok(ca.all('error').every((e) => e.code === 'RATE_LIMITED'));
      assert.equal((await c.store.messages(match)).length, ca.all('message:sent').length);
      assert.ok(ca.all('message:sent').length >= 8192);
    },
  });
}

await suite({}, tests);
