// What the reference design gets wrong, each measured on a running copy of it:
// Pairwire gets it right. Numbered as in the design.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { KIND } from './lib/store.mjs';
import { eventually } from './lib/wait.mjs';

const DELIVERY = 1000;

const typed = (events) => events.map((e) => e.content);

// Nobody can connect to the database, and whoever was is gone.
async function closeDatabase(c) {
  await c.admin.query(`ALTER DATABASE ${c.database} ALLOW_CONNECTIONS false`);
  const { rows } = await c.pg.query('SELECT pg_backend_pid() AS pid');
  await c.admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> $2', [c.database, rows[0].pid]);
}

await suite({
  auth: { jwt_leeway: '0ms' },
  chat: { offline_grace: '500ms', delivery_timeout: `${DELIVERY}ms` },
  engine: { ping_interval: '2s', ping_timeout: '20s' },
}, {
  async '1. message:send with null does not take the process down'(c) {
    const { a, b, match } = await c.pair();
    const pids = (await c.status()).slots.map((s) => s.pid);
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    for (const payload of [null, undefined, 7, 'x', [], {}, { matchId: null }]) {
      ca.emit('message:send', payload);
      assert.equal((await ca.ask('message:send', payload)).code, 'INVALID_PAYLOAD');
    }
    await ca.send(match, 'still here');
    await cb.got('message:new');
    assert.deepEqual((await c.status()).slots.map((s) => s.pid), pids);
  },

  async '2. one of two devices leaves: the user is online, and the other gets everything'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const marker = await c.user();
    await c.match(a, marker);
    const ca = await c.connect(a);
    const [phone, tablet] = [await c.connect(b, { on: one }), await c.connect(b, { on: two })];
    const clock = await c.connect(marker);
    await ca.got('user:status', (s) => s.userId === marker && s.online);
    phone.close();
    clock.close();
    await ca.got('user:status', (s) => s.userId === marker && !s.online);	// the grace is over
    assert.deepEqual(ca.all('user:status', (s) => s.userId === b).map((s) => s.online), [true]);
    assert.ok(await c.redis.sIsMember('online:users', b));
    const since = performance.now();
    const sent = await ca.send(match, 'to the tablet');
    await tablet.got('message:new', (m) => m.id === sent.messageId);
    await ca.got('message:delivered', (d) => d.messageId === sent.messageId);
    if (performance.now() - since < DELIVERY) assert.deepEqual(await c.pushes(b), []);
  },

  async '3. a connection receives as long as it is there, not as long as a key'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const [ca, cb] = [await c.connect(a, { on: one }), await c.connect(b, { on: two })];
    await eventually(() => c.redis.exists(`socket:${b}`), 'b is registered');
    for (const key of [`socket:${b}`, `pw:u:${b}`, 'online:users']) assert.equal(await c.redis.ttl(key), -1, `${key} does not expire`);
    await c.redis.del(`socket:${b}`);	// as if it had
    await ca.send(match, 'after an hour');
    await cb.got('message:new');
    await ca.got('message:delivered');
    assert.ok(await c.redis.sIsMember('online:users', b));
  },

  async '4. who was on a process that was killed is offline, and his messages are pushed'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const [ca, cb] = [await c.connect(a, { on: one }), await c.connect(b, { on: two })];
    await ca.got('user:status', (s) => s.userId === b && s.online);
    process.kill((await c.worker(two)).pid, 'SIGKILL');
    await eventually(() => !cb.connected, 'the connection is gone');
    const sent = await ca.send(match, 'anybody there?');
    await ca.got('user:status', (s) => s.userId === b && !s.online);
    assert.equal(await c.redis.sIsMember('online:users', b), false);
    const [push] = await c.pushed(b);
    assert.equal(push.data.messageId, sent.messageId);
    assert.deepEqual(ca.all('message:delivered'), []);
    assert.equal((await c.store.messages(match))[0].deliveredAt, null);
    await c.ready();
  },

  async '5. a frozen client has nothing delivered, and gets it when it is back'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    await c.rawJoin(b, { answerPings: false });
    const sent = await ca.send(match, 'can you hear me?');
    const [push] = await c.pushed(b);
    assert.equal(push.data.messageId, sent.messageId);
    assert.deepEqual(ca.all('message:delivered'), []);
    const back = await c.connect(b);
    assert.equal((await back.got('message:new')).id, sent.messageId);
    await ca.got('message:delivered', (d) => d.messageId === sent.messageId);
    assert.equal(back.all('message:new').length, 1);
  },

  async '6. a burst of 1,000 arrives in order'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const [ca, cb] = [await c.connect(a, { on: one }), await c.connect(b, { on: two })];
    for (let i = 0; i < 1000; i++) ca.emit('message:send', { matchId: match, content: `${i}`, tempId: i });
    const got = await cb.gotMany(1000, 'message:new', () => true, 20000);
    assert.deepEqual(typed(got), Array.from({ length: 1000 }, (_, i) => `${i}`));
    got.reduce((last, m) => { assert.ok(last < m.sentAt); return m.sentAt; }, '');
    assert.deepEqual((await ca.gotMany(1000, 'message:sent')).map((s) => s.tempId), Array.from({ length: 1000 }, (_, i) => i));
  },

  async '7. the same tempId twice is one message'(c) {
    const { a, b, match } = await c.pair();
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    const answers = await Promise.all([1, 2, 3].map(() => ca.send(match, 'once', { tempId: 't' })));
    assert.equal(new Set(answers.map((x) => x.messageId)).size, 1);
    await ca.send(match, 'behind it');
    await cb.got('message:new', (m) => m.content === 'behind it');
    assert.deepEqual(typed(cb.all('message:new')), ['once', 'behind it']);
    assert.deepEqual(typed(await c.store.messages(match)), ['once', 'behind it']);
  },

  async '8. neither a stranger nor a former match is heard'(c) {
    const { a, b, match } = await c.pair();
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    const stranger = await c.connect(await c.user());
    const sent = await ca.send(match, 'hi');
    await ca.got('message:delivered');
    const refused = async (client) => {
      for (const [event, more] of [['message:typing', { isTyping: true }], ['message:read', { messageIds: [sent.messageId] }], ['message:send', { content: 'x' }], ['message:sync', {}]]) {
        assert.equal((await client.ask(event, { matchId: match, ...more })).code, 'INVALID_MATCH', event);
      }
    };
    await refused(stranger);
    await c.unmatch(match);
    for (const client of [ca, cb]) {	// each worker is told by itself; nobody hears of this question
      await eventually(async () => (await client.ask('message:sync', { matchId: match })).code === 'INVALID_MATCH', 'unmatched');
    }
    const before = [ca.events.length, cb.all('user:typing').length];
    await refused(cb);
    await refused(ca);
    await Promise.all([ca.roundTrip(), cb.roundTrip()]);
    assert.deepEqual(ca.events.slice(before[0]).filter((e) => e.name !== 'error'), []);
    assert.equal(cb.all('user:typing').length, before[1]);
    assert.equal(await c.redis.exists(`typing:${match}:${stranger.user}`), 0);
    assert.equal((await c.store.messages(match))[0].readAt, null);
  },

  async '9. a session ends with its token'(c) {
    const user = await c.user();
    const { exp, client } = await c.untilItExpires(user, (token) => c.connect(user, { auth: { token } }));
    await client.ended();
    assert.ok(Date.now() >= exp * 1000 - 50);
    await eventually(async () => !await c.redis.sIsMember('online:users', user), 'offline');
  },

  async '10. what was sent while away comes on connect, oldest first'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const answers = await Promise.all(Array.from({ length: 150 }, (_, i) => ca.send(match, `${i}`)));
    const sent = answers.map((answer) => answer.messageId);
    const cb = await c.connect(b);
    const got = await cb.gotMany(150, 'message:new');
    assert.deepEqual(got.map((m) => m.id), sent);
    await ca.gotMany(150, 'message:delivered');
    await cb.roundTrip();
    assert.equal(cb.all('message:new').length, 150, 'each once');
  },

  async '11. reading one message leaves the others unread'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const unread = () => c.redis.get(`unread:${match}:${b}`).then(Number);
    const sent = [];
    for (let i = 0; i < 5; i++) sent.push((await ca.send(match, `${i}`)).messageId);
    await eventually(async () => await unread() === 5, 'five');
    const cb = await c.connect(b);
    await cb.ask('message:read', { matchId: match, messageIds: [sent[2]] });
    await eventually(async () => await unread() === 4, 'four');
    assert.deepEqual((await c.store.messages(match)).map((m) => m.readAt !== null), [false, false, true, false, false]);
  },

  async '12. a process without the users does nothing, and PostgreSQL away takes nobody down'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const [ca, cb] = [await c.connect(a, { on: one }), await c.connect(b, { on: one })];
    await ca.got('user:status', (s) => s.userId === b);
    const stats = async (instance) => (await c.worker(instance)).stats;
    const before = await stats(two);
    await Promise.all(Array.from({ length: 200 }, (_, i) => ca.send(match, `${i}`)));
    await cb.gotMany(200, 'message:new');
    await ca.gotMany(200, 'message:delivered');
    const after = await stats(two);
    assert.deepEqual([after.received - before.received, after.messages_emitted - before.messages_emitted], [0, 0]);

    const pids = (await c.status()).slots.map((s) => s.pid);
    await closeDatabase(c);
    try {
      await eventually(async () => (await c.status()).slots.every((s) => s.stats.postgres_up === 0), 'PostgreSQL is away');
      const [na, nb] = [await c.connect(await c.user()), await c.connect(b)];
      assert.equal((await na.ask('message:send', { matchId: 'unknown', content: 'x' })).code, 'SERVICE_UNAVAILABLE');
      assert.ok(nb.connected);
    } finally {
      await c.admin.query(`ALTER DATABASE ${c.database} ALLOW_CONNECTIONS true`);
    }
    await c.ready();
    assert.deepEqual((await c.status()).slots.map((s) => s.pid), pids);
    const sent = await ca.send(match, 'on we go');
    await cb.got('message:new', (m) => m.id === sent.messageId);
  },

  async '13. a message costs a part of a round trip, not six'(c, t) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const [ca, cb] = [await c.connect(a, { on: one }), await c.connect(b, { on: two })];
    await ca.send(match, 'the match and the stream are known');
    await ca.got('message:delivered');
    const N = KIND === 'pg' ? 1000 : 200;	// FerretDB is slow
    let asked = 0;
    const database = async () => {
      asked++;
      const { rows } = await c.pg.query(`SELECT (SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database())::int AS transactions,
        coalesce((SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'messages'), 0)::int AS inserted,
        coalesce((SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'messages'), 0)::int AS updated`);
      return rows[0];
    };
    const scripts = async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await c.redis.info('commandstats'))[1]);
    const from = { ...await database(), scripts: await scripts() };
    asked = 0;
    const since = performance.now();
    // leases, sweeps and the like, which go on meanwhile
    const allowed = () => N / 2 + 10 * (performance.now() - since) / 1000;
    for (let i = 0; i < N; i++) ca.emit('message:send', { matchId: match, content: `${i}` });
    await cb.gotMany(N, 'message:new', (m) => m.content !== 'the match and the stream are known', 20000);
    await ca.gotMany(N + 1, 'message:delivered', () => true, 20000);
    const redis = await scripts() - from.scripts;
    assert.ok(redis < allowed(), `${redis} Redis scripts for ${N} messages`);
    // a connection writes its statistics down with the first statement a second
    // after the last time
    let next = 0;
    const to = await eventually(async (note) => {
      if (Date.now() > next) {
        next = Date.now() + 300;
        await ca.send(match, 'and one more');
      }
      const is = await database();
      note(is);
      return (KIND !== 'pg' || (is.inserted - from.inserted >= N && is.updated - from.updated >= N)) && is;
    }, 'the statistics');
    const transactions = to.transactions - from.transactions - asked;
    t.diagnostic(`for ${N} messages ${transactions} transactions, ${redis} scripts`);
    assert.ok(transactions < allowed(), `${transactions} transactions for ${N} messages`);
  },
});
