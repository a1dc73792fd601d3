// What other services of the app publish with the stock @socket.io/redis-emitter.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Emitter } from '@socket.io/redis-emitter';
import { createClient } from 'redis';
import { Cluster, suite } from './lib/cluster.mjs';
import { eventually } from './lib/wait.mjs';

const channelOf = (user, key = 'socket.io') => `${key}#/#user:${user}#`;

// Another service: receivers are the workers that the last publish cost.
class Service {
  constructor(redis, options) {
    this.redis = redis;
    this.emitter = new Emitter({ publish: (channel, msg) => { this.receivers = redis.publish(channel, msg); } }, options);
  }

  async subscribers(channel) { return (await this.redis.pubSubNumSub(channel))[channel]; }

  // The user's devices are heard of by n workers.
  async heard(user, n, key) {
    await eventually(async (note) => {
      const got = await this.subscribers(channelOf(user, key));
      note(got);
      return got === n;
    }, `${n} subscribers of a user`);
  }
}

async function relayed(c) {
  return (await c.status()).slots.map((s) => s.stats.relayed);
}

// A user with a device on each of the two workers; one with a device; and one
// without.
async function people(c) {
  const service = new Service(c.redis);
  const [first, second] = await c.instances();
  const [both, one, none] = [await c.user(), await c.user(), await c.user()];
  const b1 = await c.connect(both, { on: first });
  const b2 = await c.connect(both, { on: second });
  const o = await c.connect(one, { on: first });
  await service.heard(both, 2);
  await service.heard(one, 1);
  return { service, emitter: service.emitter, both, one, none, b1, b2, o };
}

// What was published before this has arrived.
async function settle(p, clients) {
  const mark = `settled-${Math.random()}`;
  p.emitter.emit('settled', mark);
  for (const client of clients) await client.got('settled', (m) => m === mark);
}

const END = 'io server disconnect';
const ended = (client) => new Promise((resolve) => { client.socket.once('disconnect', resolve); });

await suite({ emitter: { redis_emitter: 'on' } }, {
  async 'to a user: all devices of his, and nobody else'(c) {
    const p = await people(c);
    const before = await relayed(c);
    p.emitter.to(`user:${p.both}`).emit('note', { n: 1 });
    assert.equal(await p.service.receivers, 2);
    for (const client of [p.b1, p.b2]) assert.deepEqual(await client.got('note'), { n: 1 });

    p.emitter.in(`user:${p.one}`).emit('note', { n: 2 });
    assert.equal(await p.service.receivers, 1, 'only the worker that holds him reads it');
    assert.deepEqual(await p.o.got('note'), { n: 2 });

    p.emitter.to(`user:${p.none}`).emit('note', { n: 3 });
    assert.equal(await p.service.receivers, 0, 'who has no device costs nobody anything');
    await settle(p, [p.b1, p.b2, p.o]);
    assert.equal(p.b1.all('note').length + p.b2.all('note').length + p.o.all('note').length, 3);
    await eventually(async (note) => {
      const after = await relayed(c);
      note(after);
      return after[0] + after[1] - before[0] - before[1] === 6;
    }, 'each event to each device counted');
  },

  async 'arguments arrive as they would from Node.js, before the offset'(c) {
    const p = await people(c);
    const args = [];
    p.o.socket.on('args', (...a) => args.push(a));
    const sent = [null, true, false, 0, -1, 300, -70000, 2 ** 53, 0.1, 1 / 3, 1e-7, '', 'ünï👋"\\\n\u0001', [[], {}], { a: { b: ['c'] } }];
    p.emitter.to(`user:${p.one}`).emit('args', ...sent, new Date(1234567890123), NaN, undefined);
    p.emitter.to(`user:${p.one}`).emit('args');
    await settle(p, [p.o]);
    assert.deepEqual(args[0].slice(0, -1), [...sent, '2009-02-13T23:31:30.123Z', null, null]);
    assert.match(args[0].at(-1), /^1\./);
    assert.equal(args[1].length, 1);
    assert.match(args[1][0], /^1\./);
  },

  async 'to several users, to all, and to all but some'(c) {
    const p = await people(c);
    const third = await c.connect(await c.user());
    const all = [p.b1, p.b2, p.o, third];
    p.emitter.to([`user:${p.both}`, `user:${p.one}`, `user:${p.none}`, 'elsewhere', 'user:']).emit('x', 'several');
    p.emitter.emit('x', 'all');
    p.emitter.except(`user:${p.both}`).emit('x', 'not both');
    p.emitter.except([p.b1.socket.id, `user:${p.one}`]).emit('x', 'not b1, not one');
    p.emitter.to(`user:${p.both}`).except(p.b2.socket.id).emit('x', 'b1 alone');
    p.emitter.to(`user:${p.both}`).except(`user:${p.both}`).emit('x', 'nobody');
    p.emitter.to([`user:${p.both}`, `user:${p.one}`]).except(`user:${p.one}`).emit('x', 'both');
    await settle(p, all);
    assert.deepEqual(p.b1.all('x'), ['several', 'all', 'b1 alone', 'both']);
    assert.deepEqual(p.b2.all('x'), ['several', 'all', 'not b1, not one', 'both']);
    assert.deepEqual(p.o.all('x'), ['several', 'all', 'not both']);
    assert.deepEqual(third.all('x'), ['all', 'not both', 'not b1, not one']);
  },

  async 'disconnectSockets: all devices, and they stay away'(c) {
    const p = await people(c);
    const third = await c.connect(await c.user(), { reconnect: true });
    const again = await c.connect(p.both, { reconnect: true });
    const gone = [p.b1, p.b2, again].map(ended);
    p.emitter.in(`user:${p.both}`).disconnectSockets();
    assert.deepEqual(await Promise.all(gone), [END, END, END]);
    await p.service.heard(p.both, 0);

    const closed = ended(p.o);
    p.emitter.in([`user:${p.one}`, `user:${p.none}`]).disconnectSockets(true);
    assert.equal(await closed, END);
    assert.ok(third.connected && !again.connected);

    const b3 = await c.connect(p.both);
    const last = ended(b3);
    p.emitter.except(third.socket.id).disconnectSockets();
    assert.equal(await last, END);
    await third.roundTrip();
  },

  async 'a channel for as long as the user is here'(c) {
    const p = await people(c);
    const o2 = await c.connect(p.one, { on: p.o.instance });
    p.o.close();
    p.emitter.to(`user:${p.one}`).emit('note', 'still here');
    await o2.got('note');
    o2.close();
    await p.service.heard(p.one, 0);
    const back = await c.connect(p.one);
    await p.service.heard(p.one, 1);
    p.emitter.to(`user:${p.one}`).emit('note', 'back');
    await back.got('note');
  },

  async 'what cannot be relayed harms nobody, and is logged once'(c) {
    const p = await people(c);
    const to = p.emitter.to(`user:${p.one}`);
    for (let i = 0; i < 3; i++) {
      to.emit('binary', Buffer.from('abc'));
      to.emit('binary', { deep: [new Uint8Array(3)] });
      to.emit('large', 'x'.repeat(600_000));
      to.socketsJoin('room');
      to.socketsLeave('room');
      p.emitter.serverSideEmit('hello', 1);
      p.emitter.of('/other').to(`user:${p.one}`).emit('elsewhere');
      await c.redis.publish(channelOf(p.one), 'garbage');
      await c.redis.publish(channelOf(p.one), Buffer.from('93a77365727669636582a474797065', 'hex'));
      await c.redis.publish('socket.io#/#', '');
      await c.redis.publish('socket.io-request#/#', '{"type":4,"opts":7}');
      await c.redis.publish('socket.io-request#/#', Buffer.from('83a474797065', 'hex'));
    }
    await settle(p, [p.o, p.b1]);
    await p.o.roundTrip();
    assert.deepEqual(p.o.events.map((e) => e.name).filter((n) => n !== 'session:ready' && n !== 'settled' && n !== 'user:status' && n !== 'error'), []);
    const lines = readFileSync(c.log, 'utf8').split('\n').filter((l) => l.includes('not relayed from another service'));
    const each = lines.filter((l) => l.includes(`worker[${p.o.instance}]`)).map((l) => l.replace(/^.*kind: /, ''));
    assert.equal(new Set(each).size, each.length);
    assert.equal(each.length, 5);
  },

  // The stock client takes the last string argument of any event as its place.
  async 'an event whose last argument is a string leaves the client its place'(c) {
    const p = await people(c);
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const cb = await c.connect(b, { reconnect: true });
    await p.service.heard(b, 1);
    await ca.send(match, 'before');
    await cb.got('message:new');
    p.emitter.to(`user:${b}`).emit('note', 'no offset of yours');
    await cb.got('note');
    assert.match(cb.socket._lastOffset, /^1\./);
    const back = new Promise((resolve) => { cb.socket.once('connect', resolve); });
    cb.manager.engine.transport.ws.terminate();
    await back;
    assert.equal(cb.socket.recovered, true);
    await ca.send(match, 'after');
    await cb.got('message:new', (m) => m.content === 'after');
    assert.deepEqual(cb.all('message:new').map((m) => m.content), ['before', 'after']);
  },
});

test('off unless configured', { timeout: 120000 }, async () => {
  const c = await Cluster.start();
  try {
    const service = new Service(c.redis);
    const user = await c.user();
    const client = await c.connect(user);
    await client.roundTrip();
    for (const channel of [channelOf(user), 'socket.io#/#', 'socket.io-request#/#']) assert.equal(await service.subscribers(channel), 0);
  } finally {
    await c.stop();
    await c.cleanUp();
  }
});

async function startRedis(sock) {
  const server = spawn('redis-server', ['--port', '0', '--unixsocket', sock, '--save', '', '--dir', tmpdir()], { stdio: 'ignore' });
  process.once('exit', () => server.kill('SIGKILL'));
  const redis = createClient({ socket: { path: sock, reconnectStrategy: 50 } });
  redis.on('error', () => {});
  await redis.connect();
  return { server, redis };
}

test('subscribed again when Redis was restarted, to a key of one’s own', { timeout: 120000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'pw-em.'));
  const sock = join(dir, 's');
  let own = await startRedis(sock);
  const c = await Cluster.start({ emitter: { redis_emitter: 'on', redis_emitter_key: 'app' }, redis: { redis_host: sock } });
  try {
    const users = [];
    for (let i = 0; i < 20; i++) users.push(await c.user());
    const clients = [];
    for (const user of users) clients.push(await c.connect(user));
    let service = new Service(own.redis, { key: 'app' });
    for (const user of users) await service.heard(user, 1, 'app');
    service.emitter.to(`user:${users[7]}`).emit('note', 'one');
    await clients[7].got('note');

    await own.redis.disconnect();
    const stopped = new Promise((resolve) => { own.server.once('exit', resolve); });
    own.server.kill('SIGKILL');
    await stopped;
    own = await startRedis(sock);
    service = new Service(own.redis, { key: 'app' });
    for (const user of users) await service.heard(user, 1, 'app');
    await eventually(async () => await service.subscribers('app#/#') === 2, 'the channel to all');
    service.emitter.emit('note', 'two');
    for (const client of clients) await client.got('note', (n) => n === 'two');
  } finally {
    await c.stop();
    await c.cleanUp();
    await own.redis.disconnect();
    own.server.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
});
