// permessage-deflate with the ws package. No store takes part: run once.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { suite } from './lib/cluster.mjs';
import { startEcho } from './lib/echo.mjs';
import { KIND } from './lib/store.mjs';
import { until, withDeadline } from './lib/wait.mjs';

const idle = { 'ping-interval': 60000, 'ping-timeout': 60000, 'max-payload': 1000000 };

async function joined(url, perMessageDeflate) {
  const ws = new WebSocket(`${url.replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate });
  ws.on('error', () => {});	// a close follows
  await until(ws, 'message', (data) => data.toString().startsWith('0{'));
  ws.send('40');
  await until(ws, 'message', (data) => data.toString().startsWith('42["auth"'));
  return ws;
}

async function echoed(ws, text) {
  const answer = until(ws, 'message', (data) => data.toString().startsWith('42["message-back"'));
  ws.send(`42["message",${JSON.stringify(text)}]`);
  const [data] = await answer;
  assert.equal(JSON.parse(data.toString().slice(2))[1], text);
}

const offers = {
  'as a browser offers it': true,
  'with the client keeping no context': { clientNoContextTakeover: true },
  'with everything compressed': { threshold: 0 },
  'at another level': { zlibDeflateOptions: { level: 9 }, threshold: 0 },
};

function define(on, off) {
  for (const [name, offer] of Object.entries(offers)) {
    test(`messages come back, ${name}`, async () => {
      const ws = await joined(on.url, offer);
      assert.equal(ws.extensions, 'permessage-deflate');
      for (const n of [0, 1, 100, 1000, 1023, 1024, 5000, 70000, 400000]) {
        await echoed(ws, 'häß🙂 '.repeat(n / 5));
        await echoed(ws, randomBytes(n / 2).toString('hex'));
      }
      ws.terminate();
    });
  }

  test('what is compressed is less on the wire', async () => {
    const ws = await joined(on.url, true);
    const before = ws._socket.bytesRead;
    await echoed(ws, 'a'.repeat(500000));
    assert.ok(ws._socket.bytesRead - before < 10000, `${ws._socket.bytesRead - before} bytes`);
    ws.terminate();
  });

  test('attachments, with the stock client', async () => {
    const socket = io(on.url, { transports: ['websocket'], reconnection: false, forceNew: true, perMessageDeflate: { threshold: 0 } });
    await until(socket, 'connect');
    const args = ['x'.repeat(5000), Buffer.alloc(100000, 7), { deep: [randomBytes(3000)] }];
    const back = until(socket, 'message-back');
    socket.emit('message', ...args);
    assert.deepEqual(await back, args);
    socket.disconnect();
  });

  test('a bomb is refused with 1009, and the next client is served', async () => {
    for (const n of [1000001, 200000000]) {
      const ws = await joined(on.url, true);
      ws.send(Buffer.alloc(n), { binary: false });
      const [code] = await until(ws, 'close', () => true, 20000);
      assert.equal(code, 1009);
    }
    await echoed(await joined(on.url, true), 'still here');
  });

  test('many at once', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => joined(on.url, { threshold: 0 })));
    await withDeadline(Promise.all(all.map(async (ws, k) => {
      for (let i = 0; i < 20; i++) await echoed(ws, `${k} ${i} `.repeat(300));
      ws.terminate();
    })), 20000, 'echoes');
  });

  test('nobody has to', async () => {
    const ws = await joined(on.url, false);
    assert.equal(ws.extensions, '');
    await echoed(ws, 'a'.repeat(5000));
    ws.terminate();
  });

  test('nothing is negotiated when it is off', async () => {
    const ws = await joined(off.url, true);
    assert.equal(ws.extensions, '');
    await echoed(ws, 'a'.repeat(5000));
    ws.terminate();
  });

  test('the servers stop when told to', async () => {
    for (const { child } of [on, off]) {
      child.kill('SIGTERM');
      await until(child, 'exit', (code) => code === 0);
    }
  });
}

// A worker's own switch, and how it is unless touched.
async function onWorkers() {
  for (const [engine, extensions] of [[{}, ''], [{ permessage_deflate: 'on' }, 'permessage-deflate']]) {
    await suite({ server: { workers: 1 }, engine }, {
      async [`a chat with ${extensions || 'nothing compressed'}`](c) {
        const { a, b, match } = await c.pair();
        const [ca, cb] = [await c.connect(a, { io: { perMessageDeflate: true } }), await c.connect(b)];
        assert.equal(ca.manager.engine.transport.ws.extensions, extensions);
        const content = 'häß🙂 '.repeat(300);
        const { messageId } = await ca.send(match, content);
        assert.equal((await cb.got('message:new', (m) => m.id === messageId)).content, content);
        await ca.got('message:delivered');
      },
    });
  }
}

if (KIND === 'pg') {
  define(await startEcho({ ...idle, 'permessage-deflate': true }), await startEcho(idle));
  await onWorkers();
}
