// Who is there, and who is typing.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { eventually, within } from './lib/wait.mjs';

const GRACE = 2000;

const of = (user, online) => (s) => s.userId === user && s.online === online;

await suite({ chat: { offline_grace: `${GRACE}ms` } }, {
  async 'connecting and leaving is told to online matches'(c) {
    const { a, b } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a, { on: one });
    const stranger = await c.connect(await c.user(), { on: one });
    const cb = await c.connect(b, { on: two });
    const came = await ca.got('user:status', of(b, true));
    assert.deepEqual(Object.keys(came).sort(), ['online', 'timestamp', 'userId']);
    assert.match(came.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(await c.redis.sIsMember('online:users', b));
    const left = Date.now();
    cb.close();
    await ca.got('user:status', of(b, false));
    assert.ok(Date.now() - left >= GRACE - 100, 'not before the grace is over');
    assert.equal(await c.redis.sIsMember('online:users', b), false);
    assert.equal(ca.all('user:status').length, 2);
    assert.deepEqual(stranger.all('user:status'), []);
  },

  async 'last_seen is written'(c) {
    const user = await c.user();
    const before = Date.now();
    await c.connect(user);
    await eventually(async () => {
      const { rows } = await c.pg.query('SELECT last_seen FROM users WHERE id = $1', [user]);
      return rows[0].last_seen && rows[0].last_seen.getTime() >= before - 1000;
    }, 'last_seen');
  },

  async 'a return within the grace announces nothing'(c) {
    const a = await c.user();
    const leaves = await c.user();
    await c.match(a, leaves);
    const ca = await c.connect(a);
    const [one, two] = await c.instances();
    const other = await c.connect(leaves);
    await ca.got('user:status', of(leaves, true));
    const leaving = (user) => c.redis.zScore('pw:leaving', user);
    const [flips, still] = await within(GRACE, async (begin) => {
      const user = await c.user();
      await c.match(a, user);
      const first = await c.connect(user, { on: one });
      await ca.got('user:status', of(user, true));
      begin();
      first.close();
      // once he has left; or is gone for good: then this took too long
      await eventually(async () => await leaving(user) !== null || !await c.redis.sIsMember('online:users', user), 'leaving');
      await c.connect(user, { on: two });
      return [user, await leaving(user)];
    });
    assert.equal(still, null, 'he is not leaving any more');
    // whoever leaves after that is announced after it would have been
    other.close();
    await ca.got('user:status', of(leaves, false));
    assert.deepEqual(ca.all('user:status', (s) => s.userId === flips).map((s) => s.online), [true]);
    assert.ok(await c.redis.sIsMember('online:users', flips));
  },

  async 'online while one device is'(c) {
    const a = await c.user();
    const [many, marker] = [await c.user(), await c.user()];
    await c.match(a, many);
    await c.match(a, marker);
    const ca = await c.connect(a);
    const [one, two] = await c.instances();
    const devices = [await c.connect(many, { on: one }), await c.connect(many, { on: one }), await c.connect(many, { on: two })];
    const clock = await c.connect(marker);
    await ca.got('user:status', of(many, true));
    await ca.got('user:status', of(marker, true));
    devices[0].close();
    devices[2].close();
    clock.close();
    await ca.got('user:status', of(marker, false));
    assert.deepEqual(ca.all('user:status', (s) => s.userId === many).map((s) => s.online), [true]);
    assert.equal(await c.redis.get(`socket:${many}`), devices[1].socket.id, 'a socket that is there');
    devices[1].close();
    await ca.got('user:status', of(many, false));
    assert.equal(await c.redis.exists(`socket:${many}`), 0);
  },

  async 'typing reaches the other, and Redis for 5 s'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a, { on: one });
    const others = [await c.connect(b, { on: one }), await c.connect(b, { on: two })];
    const key = `typing:${match}:${a}`;
    assert.equal((await ca.ask('message:typing', { matchId: match, isTyping: true })).ok, true);
    for (const cb of others) {
      assert.deepEqual(await cb.got('user:typing', (t) => t.isTyping), { matchId: match, userId: a, isTyping: true });
    }
    await eventually(async (note) => {
      const ttl = await c.redis.pTTL(key);
      note(ttl);
      if (ttl < 0) ca.emit('message:typing', { matchId: match, isTyping: true });	// over already
      return ttl > 0 && ttl <= 5000;
    }, 'the typing key');
    ca.emit('message:typing', { matchId: match, isTyping: false });
    for (const cb of others) await cb.got('user:typing', (t) => !t.isTyping);
    await eventually(async () => (await c.redis.exists(key)) === 0, 'no typing key');
    assert.deepEqual(ca.all('user:typing'), []);
  },

  async 'a stranger\'s typing does not reach a pair'(c) {
    const { a, b, match } = await c.pair();
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    const stranger = await c.connect(await c.user());
    const answer = await stranger.ask('message:typing', { matchId: match, isTyping: true });
    assert.deepEqual([answer.ok, answer.code], [false, 'INVALID_MATCH']);
    ca.emit('message:typing', { matchId: match, isTyping: true });
    await cb.got('user:typing');
    assert.deepEqual(cb.all('user:typing').map((t) => t.userId), [a]);
    assert.deepEqual(ca.all('user:typing'), []);
    assert.equal(await c.redis.exists(`typing:${match}:${stranger.user}`), 0);
  },
});
