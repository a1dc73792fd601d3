// The master becomes its new program under its clients: they stay, what they say
// arrives once and in order, and whoever comes meanwhile is served.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { isGone, suite } from './lib/cluster.mjs';
import { eventually, withDeadline } from './lib/wait.mjs';
import { Wire } from './lib/wire.mjs';

const numbers = (n) => Array.from({ length: n }, (_, i) => i);
const contents = (client) => client.all('message:new').map((m) => Number(m.content));
const UP = ['redis_up', 'redis_sub_up', 'postgres_up', 'listen_up', 'store_up', 'push_up'];
const POLLING = '/socket.io/?EIO=4&transport=polling';
const TRANSPORTS = [['websocket'], ['polling']];

const O_CLOEXEC = 0o2000000;
// The descriptors of a process but standard input, output and error, and what we
// have ourselves, which it may have from us: of what kind each is, and whether an
// exec closes it.
function descriptors(pid) {
  const look = (of, fn) => readdirSync(`/proc/${of}/fd`).filter((n) => n > 2).flatMap((n) => {
    try {
      return [fn(readlinkSync(`/proc/${of}/fd/${n}`), n)];
    } catch (err) {
      if (err.code !== 'ENOENT') throw err;
      return [];	// closed meanwhile
    }
  });
  const ours = new Set(look('self', (what) => what));
  return look(pid, (what, n) => ({
    what, kind: what.replace(/\[\d+\]/, ''),
    closes: (parseInt(readFileSync(`/proc/${pid}/fdinfo/${n}`, 'utf8').match(/^flags:\s+(\d+)/m)[1], 8) & O_CLOEXEC) !== 0,
  })).filter((one) => !one.what.startsWith('pipe:') || !ours.has(one.what));
}

const upgraded = async (c) => assert.match(await c.ctl('upgrade'), /^upgraded .* 2 workers/m);

// Two who talk until they are told to stop, and never lose their connections.
async function talk(c, i) {
  const { a, b, match } = await c.pair();
  const io = { transports: TRANSPORTS[i % 2] };
  const both = [await c.connect(a, { io }), await c.connect(b, { io })];
  const ends = [];
  for (const client of both) client.socket.on('disconnect', (reason) => ends.push(reason));
  const pair = { both, ends, going: true, sent: 0 };
  pair.done = (async () => {
    for (; pair.going; pair.sent++) {
      await both[0].send(match, String(pair.sent));
      await both[1].send(match, String(pair.sent));
    }
    for (const client of both) await client.gotMany(pair.sent, 'message:new');
  })();
  pair.done.catch(() => {});
  return pair;
}

// New connections, one after the other: each is answered.
function comers(c) {
  const it = { going: true, served: 0 };
  it.done = (async () => {
    for (; it.going; it.served++) {
      const wire = await Wire.open(c.url);
      const { status, body } = await wire.ask('GET', POLLING);
      assert.equal(status, 200);
      wire.close();
      const end = await Wire.open(c.url);
      await end.ask('POST', `${POLLING}&sid=${JSON.parse(body.slice(1)).sid}`, { body: '1' });
      end.close();
    }
  })();
  it.done.catch(() => {});
  return it;
}

await suite({ engine: { keepalive_timeout: '1s', connect_timeout: '15s' } }, {
  // Before any other upgrade: what one leaves open the next one closes.
  async 'nothing is left open'(c) {
    const { pid } = await c.status();
    // pairwirectl's connection may be open for a moment yet
    let looks = 0;
    let before = descriptors(pid);
    await eventually(() => {
      const now = descriptors(pid);
      if (now.length < before.length) [before, looks] = [now, 0];
      return ++looks > 25;
    }, 'no more are closed');
    assert.deepEqual(before.filter((one) => !one.closes), [], 'each exec closes what it is not told to keep');
    const allowed = { '/memfd:pairwire-stats (deleted)': 2 };	// of each slot's last dead
    for (const { kind } of before) allowed[kind] = (allowed[kind] ?? 0) + 1;
    for (let i = 0; i < 3; i++) {
      await upgraded(c);
      await eventually(async () => (await c.status()).draining.length === 0, 'nobody drains');
      await eventually((note) => {
        const left = { ...allowed };
        const more = descriptors(pid).filter(({ kind, closes }) => !closes || !(left[kind]-- > 0));
        note(more);
        return more.length === 0;
      }, 'no more are open than before');
    }
    assert.equal((await c.status()).pid, pid);
  },

  async 'three upgrades under people who chat'(c) {
    const before = await c.status();
    const pairs = await Promise.all(numbers(12).map((i) => talk(c, i)));
    const coming = [comers(c), comers(c)];
    for (let i = 0; i < 3; i++) await upgraded(c);
    const after = await c.status();
    assert.equal(after.pid, before.pid);
    assert.equal(after.port, before.port);
    assert.equal(after.boot, before.boot);
    assert.equal(after.upgrade.state, 'done');
    assert.ok(after.uptime_ms >= before.uptime_ms);
    for (const slot of after.slots) assert.ok(before.slots.every((s) => s.instance < slot.instance));
    for (const it of coming) it.going = false;
    await Promise.all(coming.map((it) => it.done));
    assert.ok(coming.every((it) => it.served > 3), 'new connections all the time');
    for (const pair of pairs) pair.going = false;
    await withDeadline(Promise.all(pairs.map((p) => p.done)), 30000, 'the talk\'s end');
    for (const { both, ends, sent } of pairs) {
      assert.deepEqual(ends, []);
      for (const client of both) assert.deepEqual(contents(client), numbers(sent), 'each once, in order');
    }
    const said = pairs.reduce((n, p) => n + 2 * p.sent, 0);
    assert.equal((await c.status()).totals.messages_accepted, said, 'books balanced');
    // whoever comes now is for the newest, once these reach everything
    await eventually(async () => (await c.status()).slots.every((s) => UP.every((k) => s.stats[k] === 1)), 'all backends');
    const { a, b, match } = await c.pair();
    const [x, y] = [await c.connect(a), await c.connect(b)];
    await x.send(match, '0');
    await y.gotMany(1, 'message:new');
    for (const client of [x, y, ...pairs.flatMap((p) => p.both)]) client.close();
    for (const worker of before.slots) await eventually(() => isGone(worker.pid), `the end of ${worker.pid}`);
    await eventually(async () => (await c.status()).draining.length === 0, 'nobody drains');
    assert.doesNotMatch(readFileSync(c.log, 'utf8'), / error /);
  },

});
