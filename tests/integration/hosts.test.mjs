// Workers and hosts that are taken for dead, and what comes of their users.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { Relay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

const of = (user, online) => (s) => s.userId === user && s.online === online;

const contents = (client, match) => client.all('message:new', (m) => m.matchId === match).map((m) => m.content);

await suite({ redis: { lease: '2s' }, chat: { offline_grace: '500ms' } }, {
  async 'a worker that slept beyond its lease registers again'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a, { on: one });
    const cb = await c.connect(b, { on: two });
    const { pid } = await c.worker(one);
    const cameOnline = () => cb.all('user:status', of(a, true)).length;
    let before;	// b may be told of the first time, too
    process.kill(pid, 'SIGSTOP');
    try {
      await cb.got('user:status', of(a, false));
      before = cameOnline();
      assert.equal(await c.redis.exists(`pw:u:${a}`), 0, 'no route');
      await cb.send(match, 'while it slept');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await eventually(() => cameOnline() > before, 'a is back');
    assert.ok(ca.connected, 'nothing happened to its clients');
    assert.ok(await c.redis.sIsMember('online:users', a));
    await ca.got('message:new', (m) => m.content === 'while it slept');
    await cb.send(match, 'live');
    await ca.got('message:new', (m) => m.content === 'live');
    assert.deepEqual(contents(ca, match), ['while it slept', 'live']);
    assert.ok((await c.worker(one)).stats.gaps > 0);
  },

  async 'another host dies whole'(c) {
    const { a, b, match } = await c.pair();
    const far = await c.anotherHost();
    const ca = await c.connect(a);
    const cb = await far.connect(b);
    await ca.got('user:status', of(b, true));
    await ca.send(match, 'to the other host');
    await cb.got('message:new', (m) => m.content === 'to the other host');
    await cb.send(match, 'and back');
    await ca.got('message:new', (m) => m.content === 'and back');
    await eventually(async () => (await c.redis.zRange('pw:instances', 0, -1)).filter((i) => i.startsWith(`${far.node}:`)).length === 2, 'its two workers');
    // as often as its leases ended because this machine stood still
    const told = (online) => ca.all('user:status', of(b, online)).length;
    const offline = told(false);

    const since = Date.now();
    await far.powerOff();
    await eventually(() => told(false) > offline, 'b is offline');
    assert.ok(Date.now() - since >= 500, 'not before lease and grace are over');
    assert.equal(told(false), offline + 1);
    const online = told(true);
    assert.equal(await c.redis.sIsMember('online:users', b), false);
    assert.equal(await c.redis.exists([`pw:u:${b}`, `socket:${b}`]), 0);
    await eventually(async (note) => {
      const keys = await c.redis.keys(`pw:?:${far.node}:*`);
      note(keys);
      return keys.length === 0;
    }, 'nothing left of its workers');
    await ca.send(match, 'while it is dead');
    const back = await c.connect(b);
    await back.got('message:new', (m) => m.content === 'while it is dead');
    await eventually(() => told(true) > online, 'b is back');
  },
});

await suite({ chat: { offline_grace: '500ms', delivery_timeout: '5m' } }, {
  async 'an emptied Redis has all routes again'(c) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a, { on: one });
    const cb = await c.connect(b, { on: two });
    await ca.got('user:status', of(b, true));
    await c.redis.flushDb();
    await ca.send(match, 'at once');
    await cb.got('message:new', (m) => m.content === 'at once');
    await eventually(async () => (await c.redis.exists([`pw:u:${a}`, `pw:u:${b}`])) === 2
      && (await c.redis.zCard('pw:instances')) === 2, 'routes and leases');
    assert.equal(await c.redis.get(`socket:${b}`), cb.socket.id);
    await cb.send(match, 'and back');
    await ca.got('message:new', (m) => m.content === 'and back');
    assert.deepEqual(contents(cb, match), ['at once']);
    assert.deepEqual([...ca.all('user:status', of(b, false)), ...cb.all('user:status', of(a, false))], []);
  },

  async 'messages that Redis did not take follow when it is back, in order'(c) {
    const relay = await Relay.to(process.env.PW_TEST_REDIS_HOST, process.env.PW_TEST_REDIS_PORT);
    const far = await c.anotherHost({ server: { workers: 1 }, redis: { redis_host: '127.0.0.1', redis_port: relay.port } });
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const other = await c.connect(b);	// of whoever sends
    const [cb, beside] = [await far.connect(b), await far.connect(b)];
    await cb.send(match, '0');
    await ca.got('message:new');
    relay.cut();
    await eventually(async () => (await far.status()).slots[0].stats.redis_up === 0, 'Redis is away');
    const sent = ['0'];
    for (let i = 1; i <= 230; i++) {
      sent.push(String(i));
      await cb.send(match, String(i));
    }
    await beside.got('message:new', (m) => m.content === '230');
    assert.deepEqual(contents(ca, match), ['0']);
    await eventually(async () => (await far.status()).slots[0].stats.unrouted === 230, 'all wait');
    relay.mend();
    await ca.gotMany(231, 'message:new', (m) => m.matchId === match);
    await other.gotMany(231, 'message:new', (m) => m.matchId === match);
    await eventually(async () => (await far.status()).slots[0].stats.unrouted === 0, 'nothing waits');
    await cb.send(match, 'live');
    for (const client of [ca, other, beside]) {
      await client.got('message:new', (m) => m.content === 'live');
      assert.deepEqual(contents(client, match), [...sent, 'live']);
    }
    await eventually(async () => (await c.store.owes(match)).every((owe) => owe === 0), 'all are delivered');
    assert.deepEqual(await c.pushes(a), []);
    await far.stop();
    relay.close();
  },
});
