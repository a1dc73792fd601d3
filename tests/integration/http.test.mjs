// Who may talk to us from a web page, and who a client is behind proxies: seen
// from outside. No store takes part.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { eventually } from './lib/wait.mjs';
import { Wire } from './lib/wire.mjs';

const POLLING = '/socket.io/?EIO=4&transport=polling';
const WEBSOCKET = '/socket.io/?EIO=4&transport=websocket';
const UPGRADE = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
const PREFLIGHT = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type,x-y' };
const METHODS = 'GET,HEAD,PUT,PATCH,POST,DELETE';
const HERE = 'https://app.example';
const EVIL = 'https://evil.example';

const totals = async (c) => (await c.status()).totals;

// The fields that matter to a browser, of an answer.
function cors({ fields }) {
  return Object.fromEntries(Object.entries(fields).filter(([k]) => k === 'vary' || k.startsWith('access-control-')).map(([k, v]) => [k.replace('access-control-allow-', ''), v]));
}

// One request on a connection of its own.
async function once(c, method, target, options = {}) {
  const w = await Wire.open(c.url, options);
  try {
    if (options.before) await w.write(options.before);
    return await w.ask(method, target, options);
  } finally {
    w.close();
  }
}

// Answers of every kind, as a page of that origin gets them: all that are HTTP.
async function everyAnswer(c, origin, check) {
  const fields = origin ? { Origin: origin } : {};
  const opened = await once(c, 'GET', POLLING, { fields });
  const { sid } = JSON.parse(opened.body.slice(1));
  const answers = {
    200: opened,
    'POST ok': await once(c, 'POST', `${POLLING}&sid=${sid}`, { fields, body: '42' }),
    'GET': await once(c, 'GET', `${POLLING}&sid=${sid}`, { fields }),
    'code 0': await once(c, 'GET', '/socket.io/?EIO=4&transport=abc', { fields }),
    'code 1': await once(c, 'GET', `${POLLING}&sid=AAAAAAAAAAAAAAAAAAAA`, { fields }),
    'code 2': await once(c, 'POST', POLLING, { fields, body: 'x' }),
    'code 5': await once(c, 'GET', '/socket.io/?EIO=3&transport=polling', { fields }),
    413: await once(c, 'POST', `${POLLING}&sid=${sid}`, { fields: { ...fields, 'Content-Length': 5000000 } }),
  };
  for (const [what, answer] of Object.entries(answers)) check(cors(answer), `${what}: ${answer.status}`);
}

async function openWebSocket(c, fields, options = {}) {
  return once(c, 'GET', WEBSOCKET, { ...options, fields: { ...UPGRADE, ...fields } });
}

await suite({ server: { workers: 1 }, http: { allowed_origins: '' } }, {
  async 'CORS off: no fields, no preflight, sockets from anywhere'(c) {
    await everyAnswer(c, HERE, (got, what) => assert.deepEqual(got, {}, what));
    const preflight = await once(c, 'OPTIONS', POLLING, { fields: { Origin: HERE, ...PREFLIGHT } });
    assert.deepEqual([preflight.status, preflight.body], [400, '{"code":2,"message":"Bad handshake method"}']);
    assert.equal((await openWebSocket(c, { Origin: EVIL })).status, 101);
  },
});

await suite({ server: { workers: 1 }, http: { allowed_origins: '*' } }, {
  async 'all origins: without credentials, the same for everybody'(c) {
    for (const origin of [HERE, undefined]) await everyAnswer(c, origin, (got, what) => assert.deepEqual(got, { origin: '*' }, what));
    const preflight = await once(c, 'OPTIONS', POLLING, { fields: { Origin: HERE, ...PREFLIGHT } });
    assert.equal(preflight.status, 204);
    assert.deepEqual(cors(preflight), { origin: '*', methods: METHODS, headers: 'content-type,x-y', vary: 'Access-Control-Request-Headers' });
    assert.equal((await openWebSocket(c, { Origin: EVIL })).status, 101);
  },
});

await suite({ server: { workers: 2 }, http: { allowed_origins: `${HERE}, http://localhost:8080` } }, {
  async 'listed origins'(c) {
    for (const origin of [HERE, 'http://localhost:8080']) {
      await everyAnswer(c, origin, (got, what) => assert.deepEqual(got, { origin, credentials: 'true', vary: 'Origin' }, what));
    }
    for (const origin of [EVIL, 'null', 'http://app.example', `${HERE}:444`, undefined]) {
      // served, but no page may read it
      await everyAnswer(c, origin, (got, what) => assert.deepEqual(got, { vary: 'Origin' }, what));
    }
  },

  async 'preflights'(c) {
    const wire = await Wire.open(c.url);
    const good = await wire.ask('OPTIONS', POLLING, { fields: { Origin: HERE, ...PREFLIGHT } });
    assert.deepEqual([good.status, good.body], [204, '']);
    assert.equal(good.fields.connection ?? 'keep-alive', 'keep-alive');
    assert.deepEqual(cors(good), { origin: HERE, credentials: 'true', methods: METHODS, headers: 'content-type,x-y', vary: 'Origin, Access-Control-Request-Headers' });
    // the connection goes on
    const evil = await wire.ask('OPTIONS', `${POLLING}&sid=AAAAAAAAAAAAAAAAAAAA`, { fields: { Origin: EVIL, ...PREFLIGHT } });
    assert.equal(evil.status, 204);
    assert.deepEqual(cors(evil), { methods: METHODS, headers: 'content-type,x-y', vary: 'Origin, Access-Control-Request-Headers' });
    wire.close();
  },

  async 'sockets from listed origins and from what is no page'(c) {
    assert.equal((await openWebSocket(c, { Origin: HERE })).status, 101);
    assert.equal((await openWebSocket(c, {})).status, 101);
    // React Native says that it comes from the server
    assert.equal((await openWebSocket(c, { Host: 'chat.example', Origin: 'https://chat.example' })).status, 101);
    for (const origin of [EVIL, 'null', '']) {
      const answer = await openWebSocket(c, { Origin: origin });
      assert.deepEqual([answer.status, answer.body], [403, 'Forbidden'], origin);
      assert.match(answer.fields['content-type'], /^text\//);
    }
    // an upgrade of a session is a socket too
    const { sid } = JSON.parse((await once(c, 'GET', POLLING)).body.slice(1));
    for (const [origin, status] of [[EVIL, 403], [HERE, 101]]) {
      const answer = await once(c, 'GET', `${WEBSOCKET}&sid=${sid}`, { fields: { ...UPGRADE, Origin: origin } });
      assert.equal(answer.status, status);
    }
  },
});

await suite({ server: { workers: 1 }, http: { allowed_origins: HERE, cors_credentials: 'off' } }, {
  async 'without credentials'(c) {
    await everyAnswer(c, HERE, (got, what) => assert.deepEqual(got, { origin: HERE, vary: 'Origin' }, what));
  },
});

// --- who a client is: whose connect_rate it counts for ---

// Opens sessions so until one is refused; how many went through.
async function openUntilRefused(c, options, handshake = (o) => once(c, 'GET', POLLING, o)) {
  for (let n = 0; n < 100; n++) {
    const answer = await handshake(options);
    if (answer.status === 429) {
      assert.equal(answer.fields['retry-after'], '1');
      assert.match(answer.fields['content-type'], /^text\/plain/);
      assert.ok(answer.body.length > 0);
      return n;
    }
    assert.ok([200, 101].includes(answer.status), `${answer.status} ${answer.body}`);
  }
  throw new Error('100 sessions, none refused');
}

const from = (addresses, more = {}) => ({ ...more, fields: { 'X-Forwarded-For': addresses, ...more.fields } });
const limits = { connect_rate: 1, connect_burst: 4 };

await suite({ server: { workers: 1 }, http: { trusted_proxies: '127.0.0.1, 10.0.0.0/8', allowed_origins: '*' }, limits }, {
  async 'X-Forwarded-For of a trusted proxy: each client has its own rate'(c) {
    const before = await totals(c);
    const n = await openUntilRefused(c, from('192.0.2.1'));
    assert.ok(n >= 4 && n < 20, String(n));
    assert.equal((await totals(c)).limited_connects - before.limited_connects, 1);
    assert.equal((await once(c, 'GET', POLLING, from('192.0.2.2'))).status, 200);
    // a refusal is an answer like others
    const wire = await Wire.open(c.url);
    const refused = await eventually(async () => {
      const a = await wire.ask('GET', POLLING, from('192.0.2.1'));
      return a.status === 429 && a;
    }, 'refused');
    assert.equal(cors(refused).origin, '*');
    assert.equal((await wire.ask('GET', POLLING, from('192.0.2.3'))).status, 200, 'the connection goes on');
    wire.close();
    // what is no new session is not limited
    const { sid } = JSON.parse((await once(c, 'GET', POLLING, from('192.0.2.9'))).body.slice(1));
    await openUntilRefused(c, from('192.0.2.9'));
    for (let i = 0; i < 20; i++) {
      assert.equal((await once(c, 'POST', `${POLLING}&sid=${sid}`, from('192.0.2.9', { body: '6' }))).status, 200);
      assert.equal((await once(c, 'GET', '/healthz', from('192.0.2.9'))).status, 200);
    }
    await eventually(async () => (await once(c, 'GET', POLLING, from('192.0.2.1'))).status === 200, 'a second later');
  },

  async 'WebSocket handshakes count alike'(c) {
    const handshake = (o) => openWebSocket(c, o.fields, o);
    await openUntilRefused(c, from('192.0.2.20'), handshake);
    await openUntilRefused(c, from('192.0.2.20'));
    assert.equal((await openWebSocket(c, { 'X-Forwarded-For': '192.0.2.21' })).status, 101);
  },

  async 'what a client writes itself does not help it'(c) {
    await openUntilRefused(c, from('192.0.2.30'));
    const since = performance.now();
    let spoof = 0;
    const n = await openUntilRefused(c, {}, () => once(c, 'GET', POLLING, from(`198.51.100.${spoof++}, 192.0.2.30, 10.1.1.1`)));
    assert.ok(n <= 2 + (performance.now() - since) / 1000, String(n));	// what has grown again
    // garbage where the address should be: not known, not limited
    for (let i = 0; i < 20; i++) assert.equal((await once(c, 'GET', POLLING, from('unknown'))).status, 200);
    for (let i = 0; i < 20; i++) assert.equal((await once(c, 'GET', POLLING)).status, 200);
  },

  async 'one client of IPv6 has a /64'(c) {
    let i = 0;
    await openUntilRefused(c, {}, () => once(c, 'GET', POLLING, from(`[2001:db8::${++i}]:4711`)));
    assert.equal((await once(c, 'GET', POLLING, from('2001:db8:0:1::1'))).status, 200);
  },

  async 'others are not believed'(c) {
    let spoof = 0;
    // 127.0.0.2 is no trusted proxy
    await openUntilRefused(c, {}, () => once(c, 'GET', POLLING, from(`198.51.100.${spoof++}`, { localAddress: '127.0.0.2' })));
    assert.equal((await once(c, 'GET', POLLING, { localAddress: '127.0.0.3' })).status, 200);
  },
});

function v2(command, address) {
  const body = address ? Buffer.from([...address.split('.').map(Number), 127, 0, 0, 1, 0x12, 0x34, 0x0b, 0xb9]) : Buffer.alloc(0);
  return Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([command, address ? 0x11 : 0, 0, body.length]), body]);
}
const v1 = (address) => `PROXY TCP4 ${address} 127.0.0.1 4711 3001\r\n`;

await suite({ server: { workers: 2 }, http: { trusted_proxies: '192.0.2.200', proxy_protocol_from: '127.0.0.1' }, limits }, {
  async 'PROXY headers of both versions say who the client is'(c) {
    for (const before of [(a) => v1(a), (a) => v2(0x21, a)]) {
      for (const [n, handshake] of [[1, (o) => once(c, 'GET', POLLING, o)], [2, (o) => openWebSocket(c, {}, o)]]) {
        await openUntilRefused(c, { before: before(`198.51.100.${n}`) }, handshake);
      }
    }
    for (const a of ['203.0.113.1', '203.0.113.2']) assert.equal((await once(c, 'GET', POLLING, { before: v1(a) })).status, 200);
    // a proxy in front of that one
    await openUntilRefused(c, from('203.0.113.9', { before: v1('192.0.2.200') }));
    assert.equal((await once(c, 'GET', POLLING, from('203.0.113.10', { before: v1('192.0.2.200') }))).status, 200);
    // of others X-Forwarded-For is not believed
    let spoof = 0;
    await openUntilRefused(c, {}, () => once(c, 'GET', POLLING, from(`203.0.113.${100 + spoof++}`, { before: v1('198.51.100.77') })));
  },

  async 'the proxy speaking for itself is served'(c) {
    for (const before of [v2(0x20), 'PROXY UNKNOWN\r\n']) assert.equal((await once(c, 'GET', '/healthz', { before })).body, 'ok');
  },

  async 'in pieces, and requests behind it one after the other'(c) {
    const w = await Wire.open(c.url);
    for (const byte of v1('203.0.113.50') + Wire.request('GET', '/healthz')) await w.write(byte);
    assert.equal((await w.answer()).body, 'ok');
    assert.equal((await w.ask('GET', '/healthz')).body, 'ok');
    // once only
    await w.write(v1('203.0.113.50') + Wire.request('GET', '/healthz'));
    assert.equal((await w.answer()).status, 400);
    w.close();
  },

  async 'a session keeps its worker, and the client its address, across hand-overs'(c) {
    const w = await Wire.open(c.url);
    await w.write(v1('203.0.113.60'));
    for (let i = 0; ; i++) {
      const answer = await w.ask('GET', POLLING);
      if (answer.status === 429) break;
      assert.equal(answer.status, 200);
      assert.ok(i < 50);
      const { sid } = JSON.parse(answer.body.slice(1));
      assert.equal((await w.ask('POST', `${POLLING}&sid=${sid}`, { body: '6' })).body, 'ok');
    }
    w.close();
  },

  async 'without one the connection is closed'(c) {
    const before = await totals(c);
    const bad = [Wire.request('GET', '/healthz'), 'PROXY TCP4 1.2.3.4\r\n', `${'PROXY UNKNOWN'.padEnd(200)}\r\n`, v2(0x22, '1.2.3.4'), 'x'];
    for (const bytes of bad) {
      const w = await Wire.open(c.url);
      await w.write(bytes);
      await w.end();
      assert.equal(w.rest.length, 0);
    }
    const after = await totals(c);
    assert.equal(after.proxy_refused - before.proxy_refused, bad.length);
    assert.equal(after.http_timeouts, before.http_timeouts);
    const far = await c.anotherHost({ server: { workers: 1 }, engine: { head_timeout: '500ms' } });
    const silent = await Wire.open(far.url);
    await silent.write('PROXY TC');
    await silent.end();
    assert.equal(silent.rest.length, 0);
    assert.equal((await totals(far)).http_timeouts, 1);
    await far.stop();
  },

  async 'others need none, and may not'(c) {
    assert.equal((await once(c, 'GET', '/healthz', { localAddress: '127.0.0.2' })).body, 'ok');
    const w = await Wire.open(c.url, { localAddress: '127.0.0.2' });
    await w.write(v1('203.0.113.70') + Wire.request('GET', '/healthz'));
    assert.equal((await w.answer()).status, 400);
    w.close();
  },
});
