// Keys that count at once, as clients see them: the same clients, connected all
// the time, before a reload and after it.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { suite } from './lib/cluster.mjs';
import { now, sign } from './lib/token.mjs';
import { DEADLINE, eventually, withDeadline } from './lib/wait.mjs';
import { Wire } from './lib/wire.mjs';

const POLLING = '/socket.io/?EIO=4&transport=polling';

// Puts values into the file, and has it read: by then every worker has.
async function reload(c, section, keys) {
  let text = readFileSync(c.file, 'utf8');
  for (const [key, value] of Object.entries(keys)) {
    const line = new RegExp(`^${key} = .*$`, 'm');
    if (line.test(text)) text = text.replace(line, `${key} = ${value}`);
    else text += `\n[${section}]\n${key} = ${value}\n`;
  }
  writeFileSync(c.file, text);
  const said = () => readFileSync(c.log, 'utf8').match(/worker\[\d+\]: reloaded changed=/g)?.length ?? 0;
  const before = said();
  await c.ctl('reload');
  assert.equal(said(), before + 2);
}

async function once(c, fields = {}) {
  const wire = await Wire.open(c.url);
  const answer = await wire.ask('GET', POLLING, { fields });
  wire.close();
  return answer;
}

// Whether something comes, by itself: before the reload not in half a second, after
// it however late.
const comes = (promise, after) => Promise.race([
  withDeadline(promise.then(() => true, () => true), DEADLINE, 'its end'),
  ...(after ? [] : [new Promise((resolve) => { setTimeout(resolve, 500, false); })]),
]);

async function ends(c, bytes, after) {
  const wire = await Wire.open(c.url);
  if (bytes) await wire.write(bytes);
  try {
    return await comes(wire.end(DEADLINE), after);
  } finally {
    wire.close();
  }
}

// A new session's address.
async function session(c) {
  return `${POLLING}&sid=${JSON.parse((await once(c)).body.slice(1)).sid}`;
}

async function admitted(c, token) {
  const client = await c.tryConnect({ token }).catch(() => undefined);
  client?.close();
  return client !== undefined;
}

// As many that a limit of one a second is felt even if they take seconds.
const many = (fn) => Promise.all(Array.from({ length: 30 }, (_, i) => fn(i)));

const CALM = '1m';	// of times that play no part

// Each: what one sees, with the value before and with the one after; and what is
// set then, where the new value would disturb the others.
const origin = randomBytes(3).toString('hex');
const TABLE = [
  ['http', { allowed_origins: `https://${origin}.example` },
    async (c) => (await once(c, { Origin: `https://${origin}.example` })).fields['access-control-allow-origin'] !== undefined],
  ['http', { cors_credentials: 'off' },
    async (c) => (await once(c, { Origin: `https://${origin}.example` })).fields['access-control-allow-credentials'] === undefined],
  ['chat', { content_max: 40000 },
    async (c, { ca, match }) => (await ca.ask('message:send', { matchId: match, content: 'x'.repeat(40000) })).ok === true],
  ['limits', { message_rate: 1, message_burst: 1 },
    async (c, { ca, match }) => (await many((i) => ca.ask('message:send', { matchId: match, content: `${i}` }))).some((a) => a.code === 'RATE_LIMITED')],
  ['limits', { message_rate: 0 },
    async (c, { ca, match }) => (await many((i) => ca.ask('message:send', { matchId: match, content: `${i}` }))).every((a) => a.ok)],
  ['limits', { user_connections: 1 },
    async (c, { ca }) => {
      const client = await c.connect(ca.user, { on: ca.instance }).catch(() => undefined);
      client?.close();
      return client === undefined;
    }],
  ['auth', { jwt_leeway: '10m' },
    async (c) => admitted(c, c.token('late', { exp: now() - 120 }))],
  ['auth', { jwt_secret: `${origin}-another-secret` },
    async (c) => (await admitted(c, sign({ userId: 'new', exp: now() + 60 }, `${origin}-another-secret`)))
      && !(await admitted(c, sign({ userId: 'old', exp: now() + 60 }, c.secret)))],
  ['engine', { head_timeout: '100ms' }, async (c, { after }) => ends(c, 'GET / HTTP/1.1\r\nHost: x\r\n', after), { head_timeout: CALM }],
  ['engine', { keepalive_timeout: '100ms' },
    async (c, { after }) => ends(c, Wire.request('GET', '/healthz'), after), { keepalive_timeout: CALM }],
  ['engine', { body_timeout: '100ms' },
    async (c, { after }) => ends(c, Wire.request('POST', await session(c), { fields: { 'Content-Length': 100 }, body: '4' }), after), { body_timeout: CALM }],
  ['engine', { connect_timeout: '100ms' },
    async (c, { after }) => {
      const target = await session(c);
      const wire = await Wire.open(c.url);
      await wire.write(Wire.request('GET', target));
      // it waits; the session's end is an answer: "1"
      const answered = await comes(wire.answer(), after);
      wire.close();
      return answered;
    }, { connect_timeout: CALM }],
  ['log', { log_level: 'debug' },
    async (c, { after }) => {
      const before = readFileSync(c.log, 'utf8').length;
      const says = () => /debug {3}worker/.test(readFileSync(c.log, 'utf8').slice(before));
      await once(c);
      return after ? eventually(says, 'a line') : says();
    }],
  ['limits', { connect_rate: 1, connect_burst: 1 },
    async (c) => (await many(() => once(c, { 'X-Forwarded-For': '203.0.113.7' }))).some((a) => a.status === 429)],
  // each of the clients behind it has its own rate, if it is believed
  ['http', { trusted_proxies: '192.0.2.1' },
    async (c) => (await many((i) => once(c, { 'X-Forwarded-For': `198.51.100.${i}` }))).some((a) => a.status === 429)],
  ['http', { proxy_protocol_from: '127.0.0.1' },
    async (c) => (await once(c).catch(() => undefined)) === undefined],
];

await suite({
  limits: { message_rate: 0, connect_rate: 0 },
  // the clients say nothing while times are short
  engine: { ping_interval: '10m', ping_timeout: '10m', head_timeout: CALM, body_timeout: CALM, keepalive_timeout: CALM, connect_timeout: CALM },
}, {
  async 'each key that counts at once'(c, t) {
    const { a, b, match } = await c.pair();
    const [one, two] = await c.instances();
    const ca = await c.connect(a, { on: one });
    const cb = await c.connect(b, { on: two, io: { transports: ['polling'] } });
    const ends = [];
    for (const client of [ca, cb]) client.socket.on('disconnect', (reason) => ends.push(reason));
    for (const [section, keys, shows, calm] of TABLE) {
      const name = Object.keys(keys)[0];
      await t.test(`${name} = ${keys[name]}`, async () => {
        assert.equal(await shows(c, { ca, match, after: false }), false, 'as it was');
        await reload(c, section, keys);
        assert.equal(await shows(c, { ca, match, after: true }), true, 'as it is');
        if (calm) await reload(c, section, calm);
        assert.deepEqual(ends, [], 'nobody is disconnected');
      });
    }
    assert.deepEqual(await c.instances(), [one, two]);
  },

  // What the workers that are there were started with stays theirs.
  async 'keys that count later'(c) {
    await reload(c, 'http', { proxy_protocol_from: '', trusted_proxies: '127.0.0.1' });
    await reload(c, 'limits', { connect_rate: 0 });
    await reload(c, 'engine', { ping_interval: '7s', max_payload: 500000 });
    const { pingInterval, maxPayload } = JSON.parse((await once(c)).body.slice(1));
    assert.deepEqual([pingInterval, maxPayload], [600000, 1000000]);
  },
});
