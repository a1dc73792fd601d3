// Pings: who answers stays, who does not goes.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { until } from './lib/wait.mjs';

await suite({ engine: { ping_interval: '300ms', ping_timeout: '500ms', connect_timeout: '1s' } }, {
  async 'the handshake tells the intervals'(c) {
    const raw = c.raw();
    const open = JSON.parse((await raw.frame((f) => f.startsWith('0'))).slice(1));
    assert.deepEqual(Object.keys(open), ['sid', 'upgrades', 'pingInterval', 'pingTimeout', 'maxPayload']);
    assert.deepEqual({ ...open, sid: '' }, { sid: '', upgrades: [], pingInterval: 300, pingTimeout: 500, maxPayload: 1000000 });
  },

  async 'a stock client stays'(c) {
    const client = await c.connect(await c.user());
    for (let i = 0; i < 4; i++) await until(client.manager, 'ping');
    assert.ok(client.connected);
  },

  async 'a client that answers no ping is closed, and its message stays undelivered'(c) {
    const { a, b, match } = await c.pair();
    const ca = await c.connect(a);
    const raw = await c.rawJoin(b, { answerPings: false });
    await ca.send(match, 'x');
    await raw.event('message:new');
    await raw.gone();
    await ca.got('user:status', (s) => s.userId === b && !s.online);
    assert.deepEqual(ca.all('message:delivered'), []);
    assert.equal((await c.store.messages(match))[0].deliveredAt, null);
  },

  async 'a connection that joins no namespace is closed'(c) {
    const raw = c.raw();
    await raw.frame((f) => f.startsWith('0'));
    await raw.gone();
    assert.ok(raw.pings > 0, 'though it answered pings');
  },
});
