// Engine.IO and Socket.IO on the wire, without any chat: tests/conformance/echo
// with the numbers of the public suites. No store takes part: run once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { RawClient } from './lib/client.mjs';
import { startEcho } from './lib/echo.mjs';
import { KIND } from './lib/store.mjs';
import { until, withDeadline } from './lib/wait.mjs';

const numbers = { 'ping-interval': 300, 'ping-timeout': 200, 'connect-timeout': 1000, 'max-payload': 1000000 };

function define({ child, url }) {
  const raw = (options) => new RawClient(url, options);
  const opened = async (options) => {
    const r = raw(options);
    await r.frame((f) => f[0] === '0');
    return r;
  };
  // Both frames that follow a CONNECT: the answer and the event "auth".
  const joined = async (connect, nsp = '') => {
    const r = await opened();
    r.send(connect);
    const answer = await r.frame((f) => f.startsWith(`40${nsp}`));
    return { r, answer, auth: await r.frame((f) => f.startsWith(`42${nsp}`)) };
  };
  const sent = async (r, frame, start) => {
    r.send(frame);
    return r.frame((f) => typeof f === 'string' && f.startsWith(start));
  };
  const http = async (query, init) => {
    const answer = await fetch(`${url}/socket.io/?${query}`, init);
    return { status: answer.status, body: await answer.json().catch(() => undefined) };
  };

  test('the open packet', async () => {
    const r = raw();
    const { sid, ...rest } = JSON.parse((await r.frame((f) => f[0] === '0')).slice(1));
    assert.match(sid, /^[A-Za-z0-9_-]{20}$/);
    assert.deepEqual(rest, { upgrades: [], pingInterval: 300, pingTimeout: 200, maxPayload: 1000000 });
    r.close();
  });

  test('handshakes that are refused', async () => {
    for (const [query, code] of [
      ['transport=websocket', 3], ['EIO=4', 0], ['EIO=4&transport=abc', 0], ['EIO=4&transport=websocket', 3],
    ]) {
      const { status, body } = await http(query);
      assert.equal(status, 400, query);
      assert.equal(body?.code, code, query);
    }
    for (const query of ['EIO=abc&transport=websocket', 'transport=websocket', 'EIO=4&transport=abc', 'EIO=4']) {
      const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?${query}`);
      ws.on('error', () => {});	// a close follows
      await until(ws, 'close');
    }
  });

  test('pings come, and a pong keeps the session', async () => {
    const r = await opened();
    r.send('40');
    for (let i = 0; i < 3; i++) await until(r, 'frame', (f) => f === '2');
    assert.ok(!r.closed);
    r.close();
  });

  test('without a pong the session ends after interval and timeout', async () => {
    const r = await opened({ answerPings: false });
    const since = Date.now();
    r.send('40');
    await r.gone();
    const took = Date.now() - since;
    assert.ok(took >= 400, `${took} ms`);
    assert.equal(r.pings, 1);
  });

  test('CONNECT, with and without payload, on both namespaces', async () => {
    for (const [connect, nsp, auth] of [
      ['40', '', '{}'], ['40{"token":"123"}', '', '{"token":"123"}'],
      ['40/custom,', '/custom,', '{}'], ['40/custom,{"token":"abc"}', '/custom,', '{"token":"abc"}'],
    ]) {
      const { r, answer, auth: event } = await joined(connect, nsp);
      assert.match(answer.slice(2 + nsp.length), /^\{"sid":"[A-Za-z0-9_-]{20}"\}$/);
      assert.equal(event, `42${nsp}["auth",${auth}]`);
      r.close();
    }
  });

  test('an unknown namespace is refused, and the connection stays', async () => {
    const r = await opened();
    assert.equal(await sent(r, '40/random', '44'), '44/random,{"message":"Invalid namespace"}');
    await sent(r, '40', '40{');
    r.close();
  });

  test('DISCONNECT of a namespace leaves the connection and the other namespace', async () => {
    const { r } = await joined('40');
    await sent(r, '40/custom,', '42/custom,');
    r.send('41/custom,');
    r.send('42["message","still"]');
    await r.frame((f) => f === '42["message-back","still"]');
    r.send('41');
    await until(r, 'frame', (f) => f === '2');
    await sent(r, '40', '40{');
    r.close();
  });

  test('events and acknowledgements, byte for byte', async () => {
    const { r } = await joined('40');
    for (const [frame, back] of [
      ['42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]'],
      ['42456["message-with-ack",1,"2",{"3":[false]}]', '43456[1,"2",{"3":[false]}]'],
      ['420["message-with-ack"]', '430[]'],
      ['42["message","\u00e9\u{1f44b}"]', '42["message-back","\u00e9\u{1f44b}"]'],
    ]) {
      r.send(frame);
      await r.frame((f) => f === back);
    }
    r.close();
  });

  test('attachments come back', async () => {
    const { r } = await joined('40');
    r.send('452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    r.send(Buffer.from([1, 2, 3]));
    r.send(Buffer.from([4, 5, 6]));
    assert.equal(await r.frame((f) => typeof f === 'string' && f.startsWith('462-')),
      '462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    await r.frame((f) => typeof f !== 'string' && f.equals(Buffer.from([1, 2, 3])));
    await r.frame((f) => typeof f !== 'string' && f.equals(Buffer.from([4, 5, 6])));
    r.close();
  });

  test('what is no packet closes', async () => {
    for (const bad of ['4abc', '42{}', '42abc["message"]', '42[]', 'abc', '', '2', '40', '42/custom,["message"]', '44', '451-["x"]4', Buffer.from('x')]) {
      const { r } = await joined('40');
      r.send(bad);
      await r.gone();
    }
    // before CONNECT
    for (const bad of ['4abc', '42["message"]', '1']) {
      const r = await opened();
      r.send(bad);
      await r.gone();
    }
  });

  test('no CONNECT within connect_timeout closes', async () => {
    const r = await opened();
    const since = Date.now();
    await r.gone();
    assert.ok(Date.now() - since >= 900);
  });

  test('the stock client, with everything it has', async () => {
    const socket = io(`${url}/custom`, { transports: ['websocket'], reconnection: false, auth: { a: 1 }, forceNew: true });
    const [auth] = await until(socket, 'auth');
    assert.deepEqual(auth, { a: 1 });
    const args = [1, 'two', { three: [null, true] }, Buffer.from([0, 1, 255]), { deep: [Buffer.from('x')] }];
    const back = until(socket, 'message-back');
    socket.emit('message', ...args);
    assert.deepEqual(await back, args);
    const acked = await withDeadline(new Promise((resolve) => { socket.emit('message-with-ack', ...args, (...a) => resolve(a)); }), 5000, 'ack');
    assert.deepEqual(acked, args);
    socket.disconnect();
  });

  test('the server stops when told to', async () => {
    child.kill('SIGTERM');
    const [code, signal] = await until(child, 'exit');
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
  });
}

if (KIND === 'pg') define(await startEcho(numbers));
