// presence:get: who is there, and when were the others?
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { eventually } from './lib/wait.mjs';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

await suite({ chat: { offline_grace: '500ms' } }, {
  async 'only of one\'s own live matches'(c) {
    const me = await c.user();
    const [here, left, never, ended, stranger] = await Promise.all([1, 2, 3, 4, 5].map(() => c.user()));
    for (const other of [here, left, never]) await c.match(me, other);
    await c.unmatch(await c.match(ended, me));
    const [one, two] = await c.instances();
    const ca = await c.connect(me, { on: one });
    await c.connect(here, { on: two });
    await c.connect(stranger);
    await c.connect(ended);
    const since = Date.now() - 1000;
    (await c.connect(left, { on: two })).close();
    await ca.got('user:status', (s) => s.userId === left && !s.online);
    const answer = await eventually(async (note) => {
      const a = await ca.ask('presence:get', { userIds: [never, stranger, here, ended, left, me, 'nobody', here] });
      note(a);
      return a.ok && a.statuses.some((s) => s.userId === left && s.lastSeen) && a.statuses.some((s) => s.userId === here && s.lastSeen) && a;
    }, 'last_seen is written');
    assert.deepEqual(Object.keys(answer), ['ok', 'statuses']);
    const of = Object.fromEntries(answer.statuses.map((s) => [s.userId, s]));
    assert.deepEqual(answer.statuses.map((s) => s.userId), [never, here, left], 'in the order asked for, each once');
    assert.deepEqual(of[never], { userId: never, online: false, lastSeen: null });
    assert.deepEqual([of[here].online, of[left].online], [true, false]);
    assert.match(of[left].lastSeen, ISO);
    assert.ok(Date.parse(of[left].lastSeen) >= since);
  },

  async 'a hundred at once'(c) {
    const me = await c.user();
    const others = Array.from({ length: 100 }, (_, i) => `${me}-${i}`);
    await c.pg.query('INSERT INTO users (id) SELECT unnest($1::text[])', [others]);
    await c.pg.query('INSERT INTO matches (id, user_a_id, user_b_id) SELECT id, id, $2 FROM unnest($1::text[]) AS id', [others, me]);
    const ca = await c.connect(me);
    await c.connect(others[7]);
    const answer = await ca.ask('presence:get', { userIds: others });
    assert.deepEqual(answer.statuses.filter((s) => s.online).map((s) => s.userId), [others[7]]);
    assert.equal(answer.statuses.length, 100);
  },

  async 'what is wrong is said'(c) {
    const ca = await c.connect(await c.user());
    for (const payload of [null, {}, { userIds: [] }, { userIds: 'x' }, { userIds: [1] }, { userIds: Array(101).fill('x') }]) {
      const answer = await ca.ask('presence:get', payload);
      assert.deepEqual([answer.ok, answer.code], [false, 'INVALID_PAYLOAD'], JSON.stringify(payload));
    }
    ca.emit('presence:get', { userIds: ['x'] });
    assert.equal((await ca.got('error', (e) => /acknowledgement/.test(e.message))).code, 'INVALID_PAYLOAD');
  },
});
