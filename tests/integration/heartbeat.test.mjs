// Pings: who answers stays, who does not goes.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { until } from './lib/wait.mjs';

// A stock client gives up, too, when it hears nothing for both: this process may
// stand still for seconds.
await suite({ engine: { ping_interval: '300ms', ping_timeout: '30s', connect_timeout: '2s' } }, {
  async 'the handshake tells the intervals'(c) {
    const raw = c.raw();
    const open = JSON.parse((await raw.frame((f) => f.startsWith('0'))).slice(1));
    assert.deepEqual(Object.keys(open), ['sid', 'upgrades', 'pingInterval', 'pingTimeout', 'maxPayload']);
    assert.deepEqual({ ...open, sid: '' }, { sid: '', upgrades: [], pingInterval: 300, pingTimeout: 30000, maxPayload: 1000000 });
  },

  async 'a stock client stays'(c) {
    const client = await c.connect(await c.user());
    for (let i = 0; i < 4; i++) await until(client.manager, 'ping');
    assert.ok(client.connected);
  },

  async 'a client that answers no ping is closed, and its message stays undelivered'(c) {
    const { a, b, match } = await c.pair();
    const far = await c.anotherHost({ server: { workers: 1 }, engine: { ping_timeout: '1s', connect_timeout: '45s' } });
    const ca = await c.connect(a);
    const raw = await far.rawJoin(b);
    raw.answerPings = false;
    await ca.send(match, 'x');
    await Promise.race([raw.event('message:new'), raw.gone()]);
    await raw.gone();
    await ca.got('user:status', (s) => s.userId === b && !s.online);
    assert.deepEqual(ca.all('message:delivered'), []);
    assert.equal((await c.store.messages(match))[0].deliveredAt, null);
    assert.equal((await far.status()).totals.closed_ping_timeout, 1);
    await far.stop();
  },

  async 'a connection that joins no namespace is closed'(c) {
    const before = (await c.status()).totals.closed_ping_timeout;
    const raw = c.raw();
    await raw.frame((f) => f.startsWith('0'));
    await raw.gone();
    assert.equal((await c.status()).totals.closed_ping_timeout, before, 'though it answered pings');
  },
});
