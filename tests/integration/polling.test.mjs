// Long-polling: on raw connections what no stock client would send, and the
// stock client as it is; on the echo server and on a worker that chats.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { suite } from './lib/cluster.mjs';
import { lively, quiet, startEcho, suiteNumbers } from './lib/echo.mjs';
import { RawHttp, RawPolling } from './lib/raw_http.mjs';
import { KIND } from './lib/store.mjs';
import { now } from './lib/token.mjs';
import { DEADLINE, eventually, until, withDeadline } from './lib/wait.mjs';

const POLLING = '/socket.io/?EIO=4&transport=polling';
const UNKNOWN = '{"code":1,"message":"Session ID unknown"}';
const SEPARATOR = '\x1e';
const HEALTH = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';

// One request on a connection of its own.
async function ask(url, method, target, body, fields) {
  const c = new RawHttp(url);
  c.request(method, target, body, fields);
  const answer = await c.answer();
  c.close();
  return answer;
}

const gone = async (p) => assert.deepEqual((({ status, body }) => ({ status, body }))(await ask(p.url, 'GET', p.path)), { status: 400, body: UNKNOWN });

// --- the echo server ---

async function echoTests() {
  const echoes = await Promise.all([{ ...quiet, 'head-timeout': 5000 }, suiteNumbers, lively].map(startEcho));
  const [{ url }, brisk, pinging] = echoes;

  test('the open packet, and its answer', async () => {
    const p = await RawPolling.open(brisk.url);
    assert.equal(p.opened.status, 200);
    assert.equal(p.opened.fields['content-type'], 'text/plain; charset=UTF-8');
    assert.equal(p.opened.fields['cache-control'], 'no-store');
    const { sid, ...rest } = JSON.parse(p.opened.body.slice(1));
    assert.match(sid, /^[A-Za-z0-9_-]{20}$/);
    assert.deepEqual(rest, { upgrades: ['websocket'], pingInterval: 300, pingTimeout: 200, maxPayload: 1000000 });
    p.close();
  });

  test('refusals', async () => {
    const p = await RawPolling.open(url);
    for (const [method, query, status, body] of [
      ['GET', 'EIO=4', 400, '{"code":0,"message":"Transport unknown"}'],
      ['GET', 'EIO=4&transport=abc', 400, '{"code":0,"message":"Transport unknown"}'],
      ['GET', 'EIO=4&transport=polling&sid=abc', 400, UNKNOWN],
      ['POST', 'EIO=4&transport=polling', 400, '{"code":2,"message":"Bad handshake method"}'],
      ['OPTIONS', 'EIO=4&transport=polling', 400, '{"code":2,"message":"Bad handshake method"}'],
      ['GET', 'EIO=4&transport=websocket', 400, '{"code":3,"message":"Bad request"}'],
      ['GET', `EIO=4&transport=websocket&sid=${p.sid}`, 400, '{"code":3,"message":"Bad request"}'],
      ['GET', 'EIO=3&transport=polling', 400, '{"code":5,"message":"Unsupported protocol version"}'],
      ['GET', 'transport=polling', 400, '{"code":5,"message":"Unsupported protocol version"}'],
      ['PUT', `EIO=4&transport=polling&sid=${p.sid}`, 500, ''],
      ['DELETE', `EIO=4&transport=polling&sid=${p.sid}`, 500, ''],
    ]) {
      const answer = await ask(url, method, `/socket.io/?${query}`);
      assert.deepEqual([answer.status, answer.body], [status, body], `${method} ${query}`);
      if (body) assert.equal(answer.fields['content-type'], 'application/json');
    }
    assert.equal((await p.post('40')).body, 'ok');
    p.close();
  });

  test('a session without a pong is gone after 500 ms, not before', async () => {
    await Promise.all([...Array(10).keys()].map(async (i) => {
      // each at another moment of the loop's clock
      await new Promise((done) => { setTimeout(done, 7 * i); });
      const began = performance.now();
      const p = await RawPolling.open(brisk.url);
      if (i % 2) await new Promise((done) => { setTimeout(done, 450); });
      for (let answer = await p.get(); answer.status === 200; answer = await p.get()) assert.match(answer.body, /^(2|6\x1e1|1)$/);
      assert.ok(performance.now() - began >= 500, `${performance.now() - began} ms`);
      await gone(p);
      p.close();
    }));
  });

  test('a stock client on polling stays, and gets its attachments back', async () => {
    const socket = io(pinging.url, { transports: ['polling'], reconnection: false });
    await until(socket, 'connect');
    for (let i = 0; i < 60; i++) {
      const bytes = Buffer.alloc(i * 100, i);
      const [n, text, back] = await withDeadline(new Promise((done) => {
        socket.emit('message-with-ack', i, '\u20ac\u0001"\\'.repeat(i), bytes, (...args) => done(args));
      }), DEADLINE, 'acknowledgement');
      assert.equal(n, i);
      assert.equal(text, '\u20ac\u0001"\\'.repeat(i));
      assert.deepEqual(Buffer.from(back), bytes);
    }
    for (let i = 0; i < 3; i++) await until(socket.io.engine, 'packet', (p) => p.type === 'ping');
    assert.equal(socket.io.engine.transport.name, 'polling');
    assert.ok(socket.connected);
    socket.close();
  });

  test('a body larger than maxPayload: 413, and the session goes on', async () => {
    const p = await RawPolling.open(url);
    const { status, body, fields } = await p.post(`4${'x'.repeat(1000000)}`);
    assert.deepEqual([status, body, fields.connection], [413, '', 'close']);
    await p.posts.end();
    assert.deepEqual([(await ask(url, 'POST', p.path, '40')).body], ['ok']);
    assert.match((await p.get()).body, /^40\{"sid":/);
    p.close();
  });

  test('a body in chunks, and one that asks first', async () => {
    const p = await RawPolling.open(url);
    p.posts.write(`POST ${p.path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n4\r\n`);
    p.posts.write('1;x="y"\r\n0\r\n0\r\nTrailer: t\r\n\r\n');
    assert.equal((await p.posts.answer()).body, 'ok');
    assert.match((await p.get()).body, /^40\{"sid":/);
    p.posts.write(`POST ${p.path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 21\r\n\r\n`);
    assert.equal((await p.posts.answer()).status, 100);
    p.posts.write('42["message","asked"]');
    assert.equal((await p.posts.answer()).body, 'ok');
    let got = '';
    while (!got.includes('"asked"')) got += (await p.get()).body;
    p.close();
  });

  test('whoever leaves a waiting GET ends the session at once', async () => {
    for (const leave of [(s) => s.end(), (s) => s.destroy(), (s) => s.resetAndDestroy()]) {
      const p = await RawPolling.open(url);
      p.poll();
      p.gets.request('GET', '/healthz');	// bytes that wait unread
      assert.equal((await p.post('3')).body, 'ok');	// the GET is there by now
      leave(p.gets.socket);
      // long before its ping
      await eventually(async () => (await ask(url, 'POST', p.path, '3')).status === 400, 'the session to end');
      p.close();
    }
  });

  test('slow and broken connections cost nothing but themselves', async () => {
    const slow = [];
    for (let i = 0; i < 200; i++) {
      const c = new RawHttp(url);
      c.write(['GET /socket.io/?EIO=4', `POST ${POLLING}&sid=x HTTP/1.1\r\nHost: x\r\nContent-Le`, 'G'][i % 3]);
      slow.push(c);
    }
    const drip = setInterval(() => { for (const c of slow) c.write('a'); }, 50);
    const socket = io(url, { transports: ['polling'], reconnection: false });
    await until(socket, 'connect');
    for (let i = 0; i < 20; i++) await withDeadline(new Promise((done) => { socket.emit('message-with-ack', i, done); }), DEADLINE, 'acknowledgement');
    socket.close();
    await withDeadline(Promise.all(slow.map(async (c) => {
      const { status } = await c.answer();
      assert.ok(status === 408 || status === 400, status);
      await c.end();
    })), 2 * DEADLINE, 'the slow ones to be told');
    clearInterval(drip);
    for (const c of slow) c.close();
  });

  test('the server ends in order', async () => {
    const p = await RawPolling.open(url);
    p.poll();
    assert.equal((await p.post('3')).body, 'ok');
    const exits = echoes.map(async ({ child }) => (await until(child, 'exit'))[0]);
    for (const { child } of echoes) child.kill('SIGTERM');
    assert.equal((await p.gets.answer()).body, '1', 'what waits is told');
    assert.deepEqual(await Promise.all(exits), [0, 0, 0]);
    p.close();
  });
}

// --- a worker that chats ---

const smuggled = [
  'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity, chunked , x\r\n\r\n0\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n',
  'GET / HTTP/1.1\nHost: x\n\n',
];

async function chatTests() {
  await suite({ server: { workers: 1 }, auth: { jwt_leeway: '0ms' } }, {
    async 'a chat of two on polling: sent, delivered by the pong, read'(c) {
      const { a, b, match } = await c.pair();
      const options = { io: { transports: ['polling'] } };
      const [ca, cb] = [await c.connect(a, options), await c.connect(b, options)];
      for (let i = 0; i < 20; i++) {
        const { messageId } = await ca.send(match, `hello ${i}`);
        const got = await cb.got('message:new', (m) => m.id === messageId);
        assert.equal(got.content, `hello ${i}`);
        await ca.got('message:delivered', (m) => m.messageId === messageId);
      }
      const all = cb.all('message:new');
      assert.deepEqual(all.map((m) => m.content), [...Array(20).keys()].map((i) => `hello ${i}`));
      cb.emit('message:read', { matchId: match, messageIds: all.map((m) => m.id) });
      await ca.got('message:read', (r) => r.messageIds.length === 20);
      assert.equal(ca.manager.engine.transport.name, 'polling');
      assert.equal((await c.status()).totals.sessions_polling, 2);
    },

    async 'message and ping leave in one answer'(c) {
      const { a, b, match } = await c.pair();
      const ca = await c.connect(a);
      const p = await RawPolling.open(c.url);
      await p.post(`40${JSON.stringify({ token: c.token(b) })}`);
      assert.match((await p.get()).body, /^40\{/);
      const sent = await ca.send(match, 'x');
      let body = '';
      while (!body.includes('message:new')) ({ body } = await p.get());
      const packets = body.split(SEPARATOR);
      assert.equal(packets.at(-1), '2', body);
      assert.deepEqual(ca.all('message:delivered'), [], 'not before the pong');
      assert.equal((await p.post('3')).body, 'ok');
      await ca.got('message:delivered', (m) => m.messageId === sent.messageId);
      p.close();
    },

    async 'a token that expires: the client on polling is told, and stays away'(c) {
      const user = await c.user();
      let client;
      for (let s = 2; !client; s *= 2) {	// it may be too late for the first
        assert.ok(s < 60);
        client = await c.connect(user, { auth: { token: c.token(user, { exp: now() + s }) }, reconnect: true, io: { transports: ['polling'] } }).catch(() => undefined);
      }
      const [reason] = client.connected ? await until(client.socket, 'disconnect', () => true, 2 * DEADLINE) : ['io server disconnect'];
      assert.equal(reason, 'io server disconnect');
      assert.equal(client.socket.active, false);
    },

    async 'told at the next GET, when none waits'(c) {
      const user = await c.user();
      const p = await RawPolling.open(c.url);
      await p.post(`40${JSON.stringify({ token: c.token(user) })}`);
      assert.match((await p.get()).body, /^40\{/);
      assert.equal((await p.post('40')).body, 'ok');	// connected already
      const { status, body } = await p.get();
      assert.equal(status, 200);
      assert.deepEqual(body.split(SEPARATOR).slice(-2), ['6', '1']);
      await gone(p);
      p.close();
    },

    async 'no second request in the body of a first'(c) {
      for (const text of smuggled) {
        const h = new RawHttp(c.url);
        h.write(text + HEALTH);
        const answer = await h.answer();
        assert.equal(answer.status, 400, text);
        assert.equal(answer.fields.connection, 'close');
        await h.end();
        h.close();
      }
    },

    async 'a chunk that is none ends its session'(c) {
      for (const chunk of ['x\r\n4', '-1\r\n4', '+1\r\n4', '0x1\r\n4', ' 1\r\n4', '1 \r\n4', '\r\n4', '1\n4', '1\r\n40', '1;\n4', `${'0'.repeat(16)}1\r\n4`]) {
        const p = await RawPolling.open(c.url);
        p.posts.write(`POST ${p.path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}\r\n0\r\n\r\n${HEALTH}`);
        assert.equal((await p.posts.answer()).status, 400, chunk);
        await p.posts.end();
        await gone(p);
        p.close();
      }
    },

    async 'HEAD: the head that GET has, no body, and the connection goes on'(c) {
      const h = new RawHttp(c.url);
      const p = await RawPolling.open(c.url);
      for (const [target, status, length] of [['/healthz', 200, 2], ['/nowhere', 404, 10], [POLLING, 400, 43], [p.path, 500, 0]]) {
        h.write(`HEAD ${target} HTTP/1.1\r\nHost: x\r\n\r\n${HEALTH}`);
        const { fields, ...head } = await h.head();
        assert.deepEqual([head.status, fields['content-length']], [status, String(length)], target);
        assert.equal((await h.answer()).body, 'ok', 'the next answer follows at once');
      }
      assert.equal((await p.post('40')).body, 'ok', 'its session goes on');
      p.close();
      h.close();
    },

    async 'pipelined requests are answered in order, also behind a GET that waits'(c) {
      const p = await RawPolling.open(c.url);
      p.poll();
      p.gets.write(HEALTH.repeat(50));
      p.gets.request('GET', '/nowhere');
      assert.equal((await p.post('40')).body, 'ok');	// refused: no token
      assert.match((await p.gets.answer()).body, /^44\{/);
      for (let i = 0; i < 50; i++) assert.equal((await p.gets.answer()).body, 'ok');
      assert.equal((await p.gets.answer()).status, 404);
      p.close();
    },
  });

  const impatient = { ping_interval: '1s', ping_timeout: '5s', head_timeout: '3s', body_timeout: '3s', keepalive_timeout: '3s', upgrade_timeout: '2s' };
  await suite({ server: { workers: 1 }, engine: impatient }, {
    async 'an answer that fails confirms nothing'(c) {
      const { a, b, match } = await c.pair();
      const ca = await c.connect(a);
      const p = await RawPolling.open(c.url);
      await p.post(`40${JSON.stringify({ token: c.token(b) })}`);
      assert.match((await p.get()).body, /^40\{/);
      p.gets.socket.destroy();	// its GET, had there been one, is no more
      const { messageId } = await ca.send(match, 'x');
      await ca.got('user:status', (s) => s.userId === b && !s.online);
      assert.deepEqual(ca.all('message:delivered'), []);
      const [row] = await c.store.messages(match);
      assert.equal(row.deliveredAt, null);
      assert.ok(messageId);
      p.close();
    },

    async 'an upgrade that does not end is given up, the session goes on'(c) {
      const p = await RawPolling.open(c.url);
      const raw = c.raw({ query: `EIO=4&transport=websocket&sid=${p.sid}` });
      await until(raw.ws, 'open');
      raw.send('2probe');
      await raw.gone();
      assert.deepEqual(raw.frames.filter((f) => f !== '3probe'), []);
      assert.equal((await ask(c.url, 'POST', p.path, '40')).body, 'ok');
      assert.match((await ask(c.url, 'GET', p.path)).body, /(^|\x1e)44\{/);
      p.close();
    },

    async 'slow heads, bodies and idlers are let go and counted'(c) {
      const timeouts = async () => (await c.status()).totals.http_timeouts;
      const before = await timeouts();
      const p = await RawPolling.open(c.url);
      const head = new RawHttp(c.url), idle = new RawHttp(c.url);
      head.write('GET /healthz HTTP/1.1\r\n');
      idle.request('GET', '/healthz');
      assert.equal((await idle.answer()).body, 'ok');
      p.posts.write(`POST ${p.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n4`);
      assert.equal((await head.answer()).status, 408);
      assert.equal((await p.posts.answer()).status, 408);
      await idle.end();
      await gone(p);
      await eventually(async () => await timeouts() === before + 2, 'two to be counted');
      for (const x of [p, head, idle]) x.close();
    },
  });
}

if (KIND === 'pg') await echoTests();	// no store takes part: once
await chatTests();
