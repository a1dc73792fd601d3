// What pairwirectl asks workers: disconnect, token, and explain's other hosts.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { Relay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

const json = async (c, ...args) => JSON.parse(await c.ctl(...args, '--json'));
const anId = '0123456789abcdef01234567';

// A stock client that was sent DISCONNECT, and so stays away.
const sentAway = (client) => eventually(() => client.reasons.at(-1) === 'io server disconnect', 'a DISCONNECT');

async function watched(c, user, options) {
  const client = await c.connect(user, { reconnectionDelay: 10, reconnectionDelayMax: 20, ...options });
  client.reasons = [];
  client.socket.on('disconnect', (reason) => client.reasons.push(reason));
  return client;
}

// The user's route is registered from as many workers.
const routes = (c, user, n) => eventually(async () => (await c.redis.hLen(`pw:u:${user}`)) === n, `${n} routes`);

await suite({}, {
  async 'disconnect: every device, on every host'(c) {
    const far = await c.anotherHost();
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const [three] = await far.instances();
    const here = [await watched(c, a, { on: one }), await watched(c, a, { on: two }), await watched(c, a, { on: two, transports: ['polling'] })];
    const there = await watched(far, a, { on: three });
    const cb = await watched(c, b);
    await routes(c, a, 3);
    assert.deepEqual(await json(c, 'disconnect', a), { user: a, devices: 3, instances: 1, deaf: 0, unanswered: [] });
    for (const client of [...here, there]) await sentAway(client);
    await eventually(async () => (await json(c, 'user', a)).devices.length === 0 && (await json(far, 'user', a)).devices.length === 0, 'no device is left');
    await routes(c, a, 0);
    assert.ok(cb.connected, 'others stay');
    for (const client of [...here, there]) assert.ok(!client.connected && client.reasons.length === 1, 'nobody came back');
    assert.equal(await c.ctl('disconnect', a), 'no device of this user is connected\n');

    const again = await watched(far, a);	// by his own will
    await cb.send(match, 'welcome back');
    await again.got('message:new', (m) => m.content === 'welcome back');
    assert.equal(await c.ctl('disconnect', a), '1 worker of other hosts told to disconnect this user\n');
    await sentAway(again);
    assert.equal(await c.ctl('disconnect', b), '1 device of this user disconnected from this host\n');
    await far.stop();
  },

  async 'disconnect: while Redis is away, this host'(c) {
    const relay = await Relay.to(process.env.PW_TEST_REDIS_HOST, process.env.PW_TEST_REDIS_PORT);
    const far = await c.anotherHost({ redis: { redis_host: '127.0.0.1', redis_port: relay.port } });
    const user = await c.user();
    const [one, two] = await far.instances();
    const here = [await watched(far, user, { on: one }), await watched(far, user, { on: two })];
    const elsewhere = await watched(c, user);
    relay.cut();
    await eventually(async () => (await far.status()).slots.every((s) => s.stats.redis_up === 0), 'Redis is away');
    assert.equal(await far.ctl('disconnect', user), '2 devices of this user disconnected from this host\n'
      + 'only this host was told (Redis is not reachable): run it on the others, too\n');
    for (const client of here) await sentAway(client);
    assert.ok(elsewhere.connected);
    assert.equal(await far.ctl('disconnect', user), 'no device of this user is connected to this host\n'
      + 'only this host was told (Redis is not reachable): run it on the others, too\n');
    assert.equal((await json(far, 'explain', anId)).hosts_unknown, 'Redis is not reachable');
    assert.match(await far.ctl('explain', anId), /\nother hosts were not asked, and which there are is not known: Redis is not reachable\n$/);
    relay.mend();
    await far.ready();
    assert.equal((await json(far, 'disconnect', user)).instances, 1);
    await sentAway(elsewhere);
    await far.stop();
    relay.close();
  },

  async 'user, disconnect: more devices than an answer lists'(c) {
    const far = await c.anotherHost({ server: { workers: 1 }, limits: { user_connections: 0 } });
    const user = await c.user();
    const all = await Promise.all(Array.from({ length: 600 }, () => far.rawJoin(user)));
    const { devices, more, unanswered } = await json(far, 'user', user);
    assert.deepEqual([devices.length, more, unanswered], [500, 100, []]);
    assert.match(await far.ctl('user', user), /\nand 100 more\n$/);
    assert.equal((await json(far, 'disconnect', user)).devices, 600);
    await Promise.all(all.map((client) => client.gone()));
    await far.stop();
  },

  async 'disconnect: what is no id'(c) {
    for (const id of ['', 'x'.repeat(129)]) {
      for (const command of ['disconnect', 'user']) {
        await assert.rejects(c.ctl(command, id), (err) => err.code === 1 && err.stderr === 'pairwirectl: that is no user\'s id: they have 1 to 128 bytes\n');
      }
    }
  },

  async 'token: for scripts, and good for an hour'(c) {
    const user = await c.user();
    const before = Date.now() / 1000;
    const token = await c.ctl('token', user);
    assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const [head, claims] = token.split('.').map((part) => { try { return JSON.parse(Buffer.from(part, 'base64url')); } catch { return undefined; } });
    assert.equal(head.alg, 'HS256');
    assert.equal(claims.userId, user);
    assert.equal(claims.exp, claims.iat + 3600);
    assert.ok(claims.iat >= Math.floor(before) && claims.iat <= Date.now() / 1000);
    const client = await c.tryConnect({ token: token.trim() });
    assert.ok(client.connected);
    assert.equal((await json(c, 'user', user)).devices.length, 1);

    const odd = await json(c, 'token', 'Zoë "x" \\ 💬');
    assert.equal(odd.user, 'Zoë "x" \\ 💬');
    assert.ok(odd.expires_at >= Math.floor(before) + 3600);
    assert.ok((await c.tryConnect({ token: odd.token })).connected);
    for (const id of ['', 'x'.repeat(129), 'a\nb', 'a\u0085b']) {
      await assert.rejects(c.ctl('token', id), (err) => err.code === 1 && err.stdout === '' && /no user's id/.test(err.stderr));
    }
  },

  async 'explain: the hosts that were not asked'(c) {
    assert.deepEqual((await json(c, 'explain', anId)).other_hosts, []);
    assert.equal(await c.ctl('explain', anId), `no worker of this host remembers message ${anId}\n`);
    const far = await c.anotherHost();
    assert.deepEqual(await json(c, 'explain', anId), { id: anId, events: [], other_hosts: [far.node] });
    assert.ok((await c.ctl('explain', anId)).endsWith(`\nnot asked: ${far.node}: run it there, too\n`));
    assert.deepEqual((await json(far, 'explain', anId)).other_hosts, [c.node]);
    await far.stop();
    assert.deepEqual((await json(c, 'explain', anId)).other_hosts, []);
  },
});
