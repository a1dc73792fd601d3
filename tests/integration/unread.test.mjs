// Unread counters: they follow what was marked, and are made anew when Redis
// has lost them.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { eventually } from './lib/wait.mjs';

// All that Redis says of the user's unread messages; of: his matches.
async function counters(c, user, of) {
  const hash = { ...await c.redis.hGetAll(`pw:urb:${user}`) };
  const out = { whole: hash[''] === '0', matches: {} };
  delete hash[''];
  for (const match of of) {
    out.matches[match] = [
      await c.redis.sCard(`pw:ur:${match}:${user}`),
      Number(await c.redis.get(`unread:${match}:${user}`) ?? 0),
      Number(hash[match] ?? 0),
    ];
  }
  out.fields = Object.keys(hash).length;
  return out;
}

// want: match -> how many are unread.
async function become(c, user, want) {
  const expected = {
    whole: true,
    matches: Object.fromEntries(Object.entries(want).map(([m, n]) => [m, [n, n, n]])),
    fields: Object.values(want).filter((n) => n > 0).length,
  };
  await eventually(async (note) => {
    const now = await counters(c, user, Object.keys(want));
    note(now);
    try {
      assert.deepEqual(now, expected);
      return true;
    } catch {
      return false;
    }
  }, `unread of ${user}: ${JSON.stringify(want)}`);
}

// A user with two matches, who both write to him.
async function busy(c) {
  const [me, x, y] = await Promise.all([1, 2, 3].map(() => c.user()));
  const [mx, my] = [await c.match(me, x), await c.match(y, me)];
  return { me, mx, my, cx: await c.connect(x), cy: await c.connect(y) };
}

async function sendMany(client, match, n) {
  const ids = [];
  for (let i = 0; i < n; i++) ids.push((await client.send(match, `${i}`)).messageId);
  return ids;
}

await suite({}, {
  async 'follow what was marked'(c) {
    const { me, mx, my, cx, cy } = await busy(c);
    const ids = await sendMany(cx, mx, 3);
    await sendMany(cy, my, 1);
    await become(c, me, { [mx]: 3, [my]: 1 });
    const cm = await c.connect(me);
    await cm.ask('message:read', { matchId: mx, messageIds: ids.slice(0, 2) });
    await become(c, me, { [mx]: 1, [my]: 1 });
    await cm.ask('message:read', { matchId: mx, messageIds: ids.slice(0, 2) });
    await become(c, me, { [mx]: 1, [my]: 1 });
    await cm.ask('message:read', { matchId: mx, messageIds: ids.slice(2) });
    await become(c, me, { [mx]: 0, [my]: 1 });
  },

  async 'Redis lost them: a connect makes them anew'(c) {
    const { me, mx, my, cx, cy } = await busy(c);
    const ids = await sendMany(cx, mx, 4);
    await sendMany(cy, my, 2);
    await become(c, me, { [mx]: 4, [my]: 2 });
    const before = (await c.status()).totals.unread_rebuilt;
    await c.redis.flushDb();
    const cm = await c.connect(me);
    await become(c, me, { [mx]: 4, [my]: 2 });
    await cm.ask('message:read', { matchId: mx, messageIds: ids });
    await become(c, me, { [mx]: 0, [my]: 2 });
    assert.ok((await c.status()).totals.unread_rebuilt > before);
  },

  async 'a message does'(c) {
    const { me, mx, my, cx, cy } = await busy(c);
    await sendMany(cx, mx, 2);
    await sendMany(cy, my, 3);
    await become(c, me, { [mx]: 2, [my]: 3 });
    await c.redis.flushDb();
    await sendMany(cx, mx, 1);
    await become(c, me, { [mx]: 3, [my]: 3 });
  },

  async 'a read does'(c) {
    const { me, mx, my, cx, cy } = await busy(c);
    const cm = await c.connect(me);
    const ids = await sendMany(cx, mx, 3);
    await sendMany(cy, my, 2);
    await become(c, me, { [mx]: 3, [my]: 2 });
    await c.redis.flushDb();
    await cm.ask('message:read', { matchId: mx, messageIds: ids.slice(1) });
    await become(c, me, { [mx]: 1, [my]: 2 });
  },

  async 'whatever is sent and read meanwhile'(c) {
    const { me, mx, my, cx, cy } = await busy(c);
    const cm = await c.connect(me);
    let going = true;
    const flushes = (async () => {
      for (let n = 0; going; n++) {
        await c.redis.del(`pw:urb:${me}`);
        if (n % 10 === 9) await c.redis.flushDb();
      }
    })();
    try {
      const half = async () => {
        for (let i = 0; i < 100; i++) {
          const [id] = await sendMany(cx, mx, 1);
          if (i % 5 < 3) assert.equal((await cm.ask('message:read', { matchId: mx, messageIds: [id] })).ok, true);
        }
      };
      await Promise.all([half(), sendMany(cy, my, 100)]);
    } finally {
      going = false;
      await flushes;
    }
    await sendMany(cx, mx, 1);	// the next event
    await become(c, me, { [mx]: 41, [my]: 100 });
  },

  async 'a read that Redis did not take'(c) {
    const { me, mx, my, cx, cy } = await busy(c);
    const cm = await c.connect(me);
    const ids = await sendMany(cx, mx, 3);
    await sendMany(cy, my, 2);
    await become(c, me, { [mx]: 3, [my]: 2 });
    await c.redis.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']);
    assert.equal((await cm.ask('message:read', { matchId: mx, messageIds: ids })).ok, true);
    await become(c, me, { [mx]: 0, [my]: 2 });
    await c.ready();
  },

  async 'not more than a thousand of a match'(c) {
    const { me, mx, my, cx, cy } = await busy(c);
    for (let i = 0; i < 11; i++) await Promise.all(Array.from({ length: 100 }, (_, k) => cx.send(mx, `${i} ${k}`)));
    const ids = await sendMany(cy, my, 1);
    await become(c, me, { [mx]: 1000, [my]: 1 });
    await c.redis.flushDb();
    const cm = await c.connect(me);
    await become(c, me, { [mx]: 1000, [my]: 1 });
    await cm.ask('message:read', { matchId: my, messageIds: ids });
    await become(c, me, { [mx]: 1000, [my]: 0 });
  },
});
