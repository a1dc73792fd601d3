// The stock socket.io-client with everything it has, against the conformance
// server: every transport, on one worker and on four. No store takes part.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Manager } from 'socket.io-client';
import { Echo, quiet } from './lib/echo.mjs';
import { KIND } from './lib/store.mjs';
import { DEADLINE, eventually, until, withDeadline } from './lib/wait.mjs';

const transports = { upgrade: ['polling', 'websocket'], polling: ['polling'], websocket: ['websocket'] };
const binary = [1, 'two', { three: [null, true, 0.1, -0.5, 1e21] }, Buffer.from([0, 1, 255]), { deep: [Buffer.from('x'), Buffer.alloc(0)] }];

const ask = (socket, name, ...args) => withDeadline(new Promise((resolve) => {
  socket.emit(name, ...args, (...answer) => resolve(answer));
}), DEADLINE, `acknowledgement of ${name}`);

// The arguments of the next such event.
const next = (socket, name) => until(socket, name);

// Sockets of one manager, one for each namespace, connected; "auth" has come.
async function connect(server, kind, namespaces = ['/'], auth = {}) {
  const manager = new Manager(server.url, {
    transports: transports[kind], reconnection: false, autoConnect: false, path: '/socket.io',
  });
  const sockets = namespaces.map((nsp) => manager.socket(nsp, { auth }));
  for (const socket of sockets) {
    const greeted = next(socket, 'auth');
    socket.connect();
    const [got] = await greeted;
    assert.deepEqual(got, auth);
    assert.ok(!socket.recovered);
  }
  if (kind === 'upgrade') await eventually(() => manager.engine.transport.name === 'websocket', 'the upgrade');
  return { manager, sockets, socket: sockets[0] };
}

function end({ manager, sockets }) {
  for (const socket of sockets) socket.disconnect();
  manager.engine?.close();
}

function everything(name, server, kind) {
  test(`${name}, ${kind}: binary and text, events and acknowledgements, both ways`, async () => {
    const c = await connect(server, kind, ['/', '/custom'], { token: 'é', n: 1 });
    for (const socket of c.sockets) {
      socket.on('question', (...args) => args.pop()(...args));	// as it came
      for (const args of [[], ['x'], binary]) {
        const back = next(socket, 'message-back');
        socket.emit('message', ...args);
        assert.deepEqual(await back, args);
        assert.deepEqual(await ask(socket, 'message-with-ack', ...args), args);
        const answer = next(socket, 'answer');
        socket.emit('ask', ...args);
        assert.deepEqual(await answer, args);
      }
    }
    end(c);
  });

  test(`${name}, ${kind}: many at once, in order`, async () => {
    const c = await connect(server, kind);
    const got = [];
    const all = new Promise((resolve) => {
      c.socket.on('message-back', (i, data) => {
        assert.ok(data.equals(Buffer.from([i & 255])));
        if (got.push(i) === 500) resolve();
      });
    });
    for (let i = 0; i < 500; i++) c.socket.emit('message', i, Buffer.from([i & 255]));
    await withDeadline(all, DEADLINE, () => `${got.length} of 500`);
    assert.deepEqual(got, Array.from({ length: 500 }, (_, i) => i));
    end(c);
  });

  // All of it while the transport changes under them.
  if (kind === 'upgrade') {
    test(`${name}: nothing is lost, doubled or out of order while upgrading`, async () => {
      for (let round = 0; round < 10; round++) {
        const manager = new Manager(server.url, { transports: transports.upgrade, reconnection: false, autoConnect: false });
        const socket = manager.socket('/');
        const got = [];
        let sent = 0;
        socket.on('message-back', (i) => got.push(i));
        await new Promise((resolve) => { socket.on('connect', resolve); socket.connect(); });
        await eventually(() => {
          for (let k = 0; k < 5; k++) socket.emit('message', sent++);
          return manager.engine.transport.name === 'websocket' && sent > 50;
        }, 'the upgrade');
        await ask(socket, 'message-with-ack');
        await eventually(() => got.length >= sent, 'all of them');
        assert.deepEqual(got, Array.from({ length: sent }, (_, i) => i));
        end({ manager, sockets: [socket] });
      }
    });
  }
}

// An end that the client did not ask for.
async function drop({ manager, socket }) {
  const gone = next(socket, 'disconnect');
  const { ws } = manager.engine.transport;
  if (ws !== undefined) ws.terminate();
  else manager.engine.close();
  await gone;
}

async function comeBack({ socket }) {
  const connected = next(socket, 'connect');
  socket.connect();
  await connected;
}

function recovery(name, server, kind) {
  // Another client of the namespace, by which messages reach all of them.
  const broadcast = async (other, from, to) => {
    for (let i = from; i <= to; i++) {
      const back = next(other.socket, 'message-back');
      other.socket.emit('message-to-all', i, Buffer.from([i & 255]));
      await back;
    }
  };

  test(`${name}, ${kind}: who comes back gets what was missed, before anything else`, async () => {
    const [away, other] = [await connect(server, kind), await connect(server, 'websocket')];
    const { id } = away.socket;
    const got = [];
    away.socket.on('message-back', (i, data) => { assert.equal(data[0], i & 255); got.push(i); });
    for (const [from, dropped, to] of [[1, 5, 9], [10, 10, 10]]) {	// the second time nothing was missed
      await broadcast(other, from, dropped);
      await eventually(() => got.length === dropped, 'all so far');
      await drop(away);
      await broadcast(other, dropped + 1, to);
      await comeBack(away);
      assert.equal(away.socket.recovered, true);
      assert.equal(away.socket.id, id);
      await ask(away.socket, 'message-with-ack');
      assert.deepEqual(got, Array.from({ length: to }, (_, i) => i + 1));
    }
    await broadcast(other, 11, 12);
    await eventually(() => got.length === 12, 'what follows');
    end(away);
    end(other);
  });

  test(`${name}, ${kind}: who missed more than is kept starts afresh`, async () => {
    const [away, other] = [await connect(server, kind), await connect(server, 'websocket')];
    const { id } = away.socket;
    await broadcast(other, 1, 1);
    await drop(away);
    await broadcast(other, 2, 300);
    const got = [];
    away.socket.on('message-back', (i) => got.push(i));
    await comeBack(away);
    assert.ok(!away.socket.recovered);
    assert.notEqual(away.socket.id, id);
    await ask(away.socket, 'message-with-ack');
    assert.deepEqual(got, []);
    end(away);
    end(other);
  });
}

if (KIND === 'pg') {
  for (const workers of [1, 4]) {
    const name = `${workers} worker${workers > 1 ? 's' : ''}`;
    const server = await Echo.start({ workers, ...quiet });
    for (const kind of Object.keys(transports)) everything(name, server, kind);
    test(`${name}: no recovery unless asked for`, async () => {
      const c = await connect(server, 'websocket');
      await drop(c);
      await comeBack(c);
      assert.ok(!c.socket.recovered);
      end(c);
    });
    test(`${name}: the server stops when told to`, async () => {
      assert.deepEqual(await server.stop(), { code: 0, signal: null });
    });
  }
  // what is remembered is one worker's
  const server = await Echo.start({ recovery: true, ...quiet });
  for (const kind of Object.keys(transports)) recovery('recovery', server, kind);
  test('recovery: the server stops when told to', async () => {
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
}
