// What the flight recorder knows of a message, as pairwirectl explain tells it.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { eventually } from './lib/wait.mjs';

const events = async (c, id) => JSON.parse(await c.ctl('explain', id, '--json')).events;

// The timeline, once it has these events.
async function timeline(c, id, ...names) {
  return eventually(async (note) => {
    const all = await events(c, id);
    note(all.map((e) => e.event));
    return names.every((n) => all.some((e) => e.event === n)) && all;
  }, `${names.join(', ')} of a message`);
}

const named = (all, name) => all.filter((e) => e.event === name);

await suite({ chat: { delivery_timeout: '5m', offline_grace: '200ms' }, directory: { database_timeout: '5m' } }, {
  async 'from accepted to read, on the workers where it happened'(c) {
    const { a, b, match } = await c.pair();
    const [first, second] = await c.instances();
    const ca = await c.connect(a, { on: first });
    const cb = await c.connect(b, { on: second });
    const before = Date.now();
    const { messageId: id } = await ca.send(match, 'secret words', { tempId: 't' });
    await ca.got('message:delivered');
    await cb.ask('message:read', { matchId: match, messageIds: [id] });
    const all = await timeline(c, id, 'routed', 'read');
    assert.deepEqual(all.map((e) => [e.event, e.instance]).sort(), [
      ['accepted', first], ['confirmed', second], ['read', second], ['routed', first], ['stored', first], ['written', second],
    ]);
    assert.deepEqual(all.map((e) => e.us), all.map((e) => e.us).sort((x, y) => x - y));
    const at = (name) => all.findIndex((e) => e.event === name);
    assert.equal(at('accepted'), 0);
    assert.ok(at('stored') < at('written') && at('written') < at('confirmed') && at('confirmed') < at('read'));
    const [stored] = named(all, 'stored');
    assert.ok(stored.after_arrival_us > 0 && stored.after_arrival_us < (Date.now() - before + 1) * 1000);
    assert.equal(named(all, 'routed')[0].instances, 1);
    assert.equal(named(all, 'written')[0].devices, 1);
    for (const e of all) {
      assert.ok(e.alive && e.us / 1000 >= before - 1 && e.us / 1000 <= Date.now() + 1);
      assert.equal(Date.parse(e.time), Math.floor(e.us / 1000));
      assert.equal((await c.worker(e.instance)).slot, e.slot);
    }

    await ca.send(match, 'secret words', { tempId: 't' });
    const again = await timeline(c, id, 'deduplicated');
    assert.equal(named(again, 'accepted').length, 2);
    assert.equal(named(again, 'written').length, 1);

    const text = await c.ctl('explain', id.toUpperCase());
    assert.match(text, new RegExp(`^message ${id}`, 'i'));
    for (const e of ['accepted', 'stored', 'ms after it came', 'routed', 'to 1 worker ', 'written', 'to 1 device ', 'confirmed', 'read', 'deduplicated']) assert.ok(text.includes(e), `${e} in\n${text}`);
    assert.ok(!text.includes('secret'));
  },

  // Both bounds hold however slow the machine is: it is we who hold it up.
  async 'how long it took from its arrival'(c) {
    const { a, match } = await c.pair();
    const ca = await c.connect(a);
    // nobody has looked this match up, and nobody can
    await c.pg.query('BEGIN; LOCK TABLE matches IN ACCESS EXCLUSIVE MODE');
    const before = performance.now();
    const sending = ca.send(match, 'held up');
    sending.catch(() => {});
    let least;
    try {
      // of one connection, so what was sent first has arrived
      assert.equal((await ca.ask('message:send', null)).code, 'INVALID_PAYLOAD');
      const arrived = performance.now();
      await eventually(() => performance.now() - arrived > 200, 'a while');
      least = (performance.now() - arrived) * 1000;
    } finally {
      await c.pg.query('COMMIT');
    }
    const { messageId: id } = await sending;
    const most = (performance.now() - before) * 1000;
    const [{ after_arrival_us: us }] = named(await timeline(c, id, 'stored'), 'stored');
    assert.ok(us >= least && us <= most, `${us} is between ${least} and ${most}`);
  },

  async 'a push when nobody is there; written when he comes'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const { messageId: id } = await ca.send(match, 'anybody there?');
    const away = await timeline(c, id, 'push queued');
    assert.equal(named(away, 'routed')[0].instances, 0);
    assert.deepEqual(named(away, 'written'), []);
    const cb = await c.connect(b);
    await cb.got('message:new');
    const all = await timeline(c, id, 'written', 'confirmed');
    assert.equal(named(all, 'written')[0].instance, cb.instance);
    assert.equal(named(all, 'accepted')[0].instance, ca.instance);
  },

  async 'what a worker did is known after its death'(c) {
    const { a, match } = await c.pair();
    const ca = await c.connect(a);
    const { messageId: id } = await ca.send(match, 'last words');
    const before = named(await timeline(c, id, 'stored', 'routed'), 'stored');
    const { instance } = ca;
    process.kill((await c.worker(instance)).pid, 'SIGKILL');
    await eventually(async () => !(await c.instances()).includes(instance), 'another worker');
    const [after] = named(await events(c, id), 'stored');
    assert.deepEqual(after, { ...before[0], alive: false });
    assert.match(await c.ctl('explain', id), /\d \(died\)/);
    await c.ready();
  },

  async 'an id of nothing, and what is no id'(c) {
    assert.deepEqual(await events(c, '0123456789abcdef01234567'), []);
    assert.match(await c.ctl('explain', '0123456789abcdef01234567'), /^no worker of this host remembers message 0123/);
    for (const id of ['', '0123456789abcdef0123456', '0123456789abcdef012345678', '0123456789abcdef0123456g', 'Ä'.repeat(12)]) {
      await assert.rejects(c.ctl('explain', id), (err) => err.code === 1 && err.stderr === 'pairwirectl: that is no message\'s id: they have 24 hexadecimal digits\n');
    }
    await assert.rejects(c.ctl('explain'), (err) => err.code === 2);
  },
});
