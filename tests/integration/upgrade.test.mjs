// From polling to WebSocket: on the wire, and under messages both ways, of
// which none may be lost, doubled or reordered. No store takes part in the
// protocol's half; run once there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { Socket as Engine } from 'engine.io-client';
import { WebSocket } from 'ws';
import { suite } from './lib/cluster.mjs';
import { startEcho } from './lib/echo.mjs';
import { KIND } from './lib/store.mjs';
import { DEADLINE, eventually, until, withDeadline } from './lib/wait.mjs';

const MESSAGES = 2000;

// --- on the wire ---

class Session {
  static async open(url, path = '/socket.io/') {
    const s = new Session();
    s.base = `${url}${path}?EIO=4`;
    const open = await s.get();
    assert.equal(open.status, 200);
    assert.deepEqual(JSON.parse(open.body.slice(1)).upgrades, ['websocket']);
    s.base += `&sid=${JSON.parse(open.body.slice(1)).sid}`;
    return s;
  }

  async #http(init) {
    const answer = await fetch(`${this.base}&transport=polling`, init);
    return { status: answer.status, body: await answer.text() };
  }

  get() { return this.#http(); }
  post(body) { return this.#http({ method: 'POST', body }); }

  async websocket() {
    const ws = new WebSocket(`${this.base.replace(/^http/, 'ws')}&transport=websocket`);
    ws.frames = [];
    ws.on('message', (data, binary) => ws.frames.push(binary ? data : data.toString()));
    ws.on('error', () => {});	// a close follows
    ws.on('close', (code) => { ws.code = code; });
    await until(ws, 'open');
    return ws;
  }
}

async function frame(ws, text) {
  if (!ws.frames.includes(text)) await until(ws, 'message', (data) => data.toString() === text);
}

async function closed(ws) {
  if (ws.code === undefined) await until(ws, 'close');
  return ws.code;
}

const idle = { 'ping-interval': 60000, 'ping-timeout': 60000, 'connect-timeout': 60000, 'upgrade-timeout': 60000 };

function onTheWire({ url }) {
  test('a waiting poll is answered, and one that comes later', async () => {
    const s = await Session.open(url);
    const waiting = s.get();
    const ws = await s.websocket();
    ws.send('2probe');
    await frame(ws, '3probe');
    assert.deepEqual(await waiting, { status: 200, body: '6' });
    assert.deepEqual(await s.get(), { status: 200, body: '6' });
    ws.send('5');
    ws.send('40');
    await until(ws, 'message', (data) => data.toString().startsWith('40{'));
    assert.equal((await s.get()).status, 400);
    assert.equal(JSON.parse((await s.post('4x')).body).code, 3);
    ws.send('42["message",1]');
    await frame(ws, '42["message-back",1]');
    ws.terminate();
  });

  test('between probe and upgrade the session polls', async () => {
    const s = await Session.open(url);
    const ws = await s.websocket();
    ws.send('2probe');
    await frame(ws, '3probe');
    assert.equal((await s.post('40')).body, 'ok');
    let polled = '';
    while (!polled.includes('42["auth"')) polled += (await s.get()).body;
    assert.deepEqual(ws.frames, ['3probe']);
    ws.send('5');
    ws.send('42["message",2]');
    await frame(ws, '42["message-back",2]');
    ws.terminate();
  });

  test('anything else on it closes the WebSocket, not the session', async () => {
    for (const wrong of ['4x', '3', '2', '', 'abc', Buffer.from('x'), '2probe2']) {
      const s = await Session.open(url);
      const ws = await s.websocket();
      ws.send(wrong);
      assert.equal(await closed(ws), 1005, String(wrong));
      assert.equal((await s.post('40')).body, 'ok');
      assert.match((await s.get()).body, /^40/);
      const again = await s.websocket();
      again.send('2probe');
      await frame(again, '3probe');
      again.terminate();
      await until(again, 'close');
      assert.equal((await s.post('42["message",3]')).body, 'ok');
      let polled = '';
      while (!polled.includes('42["message-back",3]')) polled += (await s.get()).body;
    }
  });

  test('a second WebSocket is closed, during and after the upgrade', async () => {
    const s = await Session.open(url);
    const ws = await s.websocket();
    assert.equal(await closed(await s.websocket()), 1005);
    ws.send('2probe');
    await frame(ws, '3probe');
    assert.equal(await closed(await s.websocket()), 1005);
    ws.send('5');
    ws.send('40');
    await until(ws, 'message', (data) => data.toString().startsWith('40{'));
    assert.equal(await closed(await s.websocket()), 1005);
    ws.send('42["message",4]');
    await frame(ws, '42["message-back",4]');
    ws.terminate();
  });
}

// --- under messages ---

// Calls step(i) for each i, a few at a time, so that packets of many turns are
// on their way when the transport changes.
async function each(n, step) {
  for (let i = 0; i < n; i++) {
    step(i);
    if (i % 8 === 7) await new Promise((resolve) => { setImmediate(resolve); });
  }
}

// at: after how many messages the client probes; undefined: as it likes.
async function exchange(url, { at, binary }) {
  const manager = io(url, { forceNew: true, reconnection: false, upgrade: at === undefined }).io;
  const socket = manager.socket('/');
  const got = [];
  let moved;
  manager.engine.once('upgrade', () => { moved = got.length; });
  const done = new Promise((resolve, reject) => {
    socket.on('message-back', (i, bytes) => {
      got.push(i);
      if (bytes !== undefined && bytes.toString() !== `bytes of ${i}`) reject(new Error(`${i} has ${bytes}`));
      if (got.length === MESSAGES) resolve();
    });
    socket.once('disconnect', (why) => reject(new Error(`disconnect: ${why}, ${got.length} came`)));
    socket.once('connect_error', reject);
  });
  await withDeadline(Promise.race([until(socket, 'connect', () => true, 60000), done]), 60000, 'connect');
  await each(MESSAGES, (i) => {
    if (i === at) manager.engine._probe('websocket');
    if (binary && i % 5 === 0) socket.emit('message', i, Buffer.from(`bytes of ${i}`));
    else socket.emit('message', i);
  });
  await withDeadline(done, 60000, () => `${got.length} of ${MESSAGES}, moved at ${moved}`);
  assert.ok(got.every((value, i) => value === i), 'in order, each once');
  await eventually(() => moved !== undefined, 'the upgrade');
  assert.equal(manager.engine.transport.name, 'websocket');
  socket.off('disconnect');
  manager.engine.close();
  return moved;
}

// The same without Socket.IO: every packet by itself, text and binary.
async function exchangePackets(url, at) {
  const socket = new Engine(url, { path: '/engine.io/', upgrade: false });
  const got = [];
  let moved;
  socket.binaryType = 'nodebuffer';
  socket.once('upgrade', () => { moved = got.length; });
  const done = new Promise((resolve, reject) => {
    socket.on('message', (data) => {
      got.push(Number(data));
      if (got.length === MESSAGES) resolve();
    });
    socket.once('close', (why) => reject(new Error(`closed: ${why}, ${got.length} came`)));
  });
  await until(socket, 'open', () => true, 60000);
  await each(MESSAGES, (i) => {
    if (i === at) socket._probe('websocket');
    socket.send(i % 3 === 0 ? Buffer.from(String(i)) : String(i));
  });
  await withDeadline(done, 60000, () => `${got.length} of ${MESSAGES}, moved at ${moved}`);
  assert.ok(got.every((value, i) => value === i), 'in order, each once');
  await eventually(() => moved !== undefined, 'the upgrade');
  assert.equal(socket.transport.name, 'websocket');
  socket.close();
  return moved;
}

function underPackets({ url }) {
  test(`${MESSAGES} packets both ways, 50 clients`, { timeout: 300000 }, async () => {
    let between = 0;
    for (let wave = 0; wave < 5; wave++) {
      const moved = await Promise.all(Array.from({ length: 10 }, (_, k) =>
        exchangePackets(url, 1 + ((wave * 10 + k) * 41) % (MESSAGES - 400))));
      between += moved.filter((n) => n > 0 && n < MESSAGES).length;
    }
    assert.ok(between >= 25, `${between} of 50 moved between two packets`);
  });
}

function underMessages({ url }) {
  for (const binary of [false, true]) {
    test(`${MESSAGES} ${binary ? 'with attachments ' : ''}both ways, 50 clients`, { timeout: 300000 }, async () => {
      let between = 0;
      for (let wave = 0; wave < 5; wave++) {
        const moved = await Promise.all(Array.from({ length: 10 }, (_, k) =>
          exchange(url, { at: k < 2 ? undefined : 1 + ((wave * 10 + k) * 37) % (MESSAGES - 400), binary })));
        between += moved.filter((n) => n > 0 && n < MESSAGES).length;
      }
      // else this shows nothing
      assert.ok(between >= 25, `${between} of 50 moved between two messages`);
    });
  }
}

// --- with chat ---

const chat = {
  'a pair moves while it writes to each other': async (cluster) => {
    // FerretDB may take its time; what moves is the same.
    const [rounds, each] = KIND === 'pg' ? [4, MESSAGES / 4] : [1, 150];
    for (let round = 0; round < rounds; round++) {
      const { a, b, match } = await cluster.pair();
      const [ann, bob] = await Promise.all([a, b].map((user) => cluster.connect(user, {
        io: { transports: ['polling', 'websocket'], upgrade: false },
      })));
      let moved = 0;
      for (const [k, client] of [ann, bob].entries()) {
        client.manager.engine.once('upgrade', () => { moved++; });
        client.socket.on('message:new', ({ content }) => {
          if (content === String(50 * (k + 1) * (round + 1))) client.manager.engine._probe('websocket');
        });
      }
      for (let i = 0; i < each; i += 10) {
        await Promise.all([ann, bob].flatMap((client) => Array.from({ length: 10 }, (_, k) => client.send(match, String(i + k)))));
      }
      for (const [client, from] of [[ann, b], [bob, a]]) {
        const got = await client.gotMany(each, 'message:new', (m) => m.senderId === from, 2 * DEADLINE);
        assert.deepEqual(got.map((m) => m.content), Array.from({ length: each }, (_, i) => String(i)));
      }
      await eventually(() => moved === 2, 'both upgrades');
      for (const client of [ann, bob]) {
        assert.equal(client.manager.engine.transport.name, 'websocket');
      }
    }
    await eventually(async (note) => {
      const { upgrades, sessions_polling } = (await cluster.status()).totals;
      note({ upgrades, sessions_polling });
      return upgrades === 2 * rounds && sessions_polling === 0;
    }, 'both counted');
  },
};

function inTime({ url }) {
  test('an upgrade that does not end is given up, the session goes on', async () => {
    const s = await Session.open(url, '/engine.io/');
    const ws = await s.websocket();
    ws.send('2probe');
    assert.equal(await closed(ws), 1005);
    assert.deepEqual(ws.frames.filter((f) => f !== '3probe'), []);
    assert.equal((await s.post('4hello')).body, 'ok');
    assert.equal((await s.get()).body, '4hello');
  });
}

if (KIND === 'pg') {
  const echo = await startEcho({ ...idle, workers: 4 });
  const engine = await startEcho({ ...idle, workers: 4, protocol: 'engine.io' });
  const impatient = await startEcho({ ...idle, workers: 4, protocol: 'engine.io', 'upgrade-timeout': 500 });
  onTheWire(echo);
  underMessages(echo);
  underPackets(engine);
  inTime(impatient);
  test('the servers are still there', async () => {
    for (const { child } of [echo, engine, impatient]) {
      assert.equal(child.exitCode, null);
      child.kill('SIGTERM');
      await until(child, 'exit', (code) => code === 0);
    }
  });
}
await suite({}, chat);
