// Who gets in, and for how long.
import assert from 'node:assert/strict';
import { instanceOf } from './lib/client.mjs';
import { suite } from './lib/cluster.mjs';
import { now, sign } from './lib/token.mjs';

const REQUIRED = 'Authentication token required';
const INVALID = 'Invalid or expired token';

async function refused(c, auth, message) {
  await assert.rejects(c.tryConnect(auth), (err) => {
    assert.equal(err.message, message, JSON.stringify(auth));
    return true;
  });
}

await suite({ auth: { jwt_leeway: '0ms' } }, {
  async 'a good token lets its user in: claim userId, else sub'(c) {
    const [a, b] = [await c.user(), await c.user()];
    for (const [user, claims] of [[a, { userId: a }], [a, { sub: a }], [b, { sub: a, userId: b }]]) {
      const client = await c.connect(user, { auth: { token: sign({ ...claims, exp: now() + 60 }, c.secret) } });
      const devices = await c.ctl('user', user);
      assert.ok(devices.includes(client.socket.id), devices);
      client.close();
    }
  },

  async 'no token'(c) {
    await refused(c, undefined, REQUIRED);
    await refused(c, {}, REQUIRED);
    await refused(c, { token: '' }, REQUIRED);
    await refused(c, { token: null }, REQUIRED);
  },

  async 'a bad token'(c) {
    const user = await c.user();
    const good = c.token(user);
    const [head, body, mac] = good.split('.');
    const flipped = `${mac[0] === 'A' ? 'B' : 'A'}${mac.slice(1)}`;
    const claims = { userId: user, exp: now() + 60 };
    for (const token of [
      'x', '..', 'a.b.c', `${good}x`, `${head}.${body}`, `${head}.${body}.`, `${head}.${body}.${flipped}`,
      sign(claims, 'another secret'),
      sign(claims, c.secret, { alg: 'none' }),
      sign(claims, c.secret, { alg: 'HS512' }),
      sign({ exp: now() + 60 }, c.secret),
      sign({ ...claims, userId: '' }, c.secret),
      sign({ ...claims, userId: 7 }, c.secret),
      sign({ ...claims, userId: 'a\u0000b' }, c.secret),
      sign({ ...claims, nbf: now() + 60 }, c.secret),
      'y'.repeat(100000),
    ]) await refused(c, { token }, INVALID);
  },

  async 'an expired token'(c) {
    const user = await c.user();
    await refused(c, { token: c.token(user, { exp: now() - 1 }) }, INVALID);
  },

  async 'a token that expires ends the session, and the client does not come back'(c) {
    const user = await c.user();
    const other = await c.connect(user);
    const { client } = await c.untilItExpires(user, (token) => c.connect(user, { auth: { token }, reconnect: true }));
    assert.equal(await client.ended(), 'io server disconnect');
    assert.equal(client.socket.active, false);
    assert.ok(other.connected, 'a session with another token goes on');
  },

  async 'an unknown namespace'(c) {
    const user = await c.user();
    const raw = c.raw();
    await raw.frame((f) => f.startsWith('0{'));
    raw.send(`40/other,${JSON.stringify({ token: c.token(user) })}`);
    assert.equal(await raw.frame((f) => f.startsWith('44')), '44/other,{"message":"Invalid namespace"}');
  },

  async 'every worker takes connections; session ids name them'(c) {
    const instances = await c.instances();
    assert.equal(new Set(instances).size, 2);
    const user = await c.user();
    for (const instance of instances) {
      const client = await c.connect(user, { on: instance });
      assert.match(client.manager.engine.id, /^[A-Za-z0-9_-]{20}$/);
      assert.match(client.socket.id, /^[A-Za-z0-9_-]{20}$/);
      assert.equal(instanceOf(client.socket.id), instance);
      assert.notEqual(client.socket.id, client.manager.engine.id, 'the engine id is a secret');
    }
  },
});
