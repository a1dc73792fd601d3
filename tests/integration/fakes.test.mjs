// The fake providers themselves: a double that refuses nothing proves nothing.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { connect, constants } from 'node:http2';
import { sign as signature } from 'node:crypto';
import { request } from 'node:https';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { apnsError, APNS_REASONS, fcmError, startProviders } from '../fakes/providers.mjs';

const p = await startProviders();
const ca = readFileSync(p.ca);
const sessions = new Set();
after(() => p.close());

const part = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');
const now = () => Math.floor(Date.now() / 1000);

function jwt(header, claims, key, options = {}) {
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${signature('sha256', Buffer.from(input), { key, ...options }).toString('base64url')}`;
}

function assertion(claims = {}, key = p.project.account.private_key) {
  const iat = now();
  return jwt({ alg: 'RS256', typ: 'JWT' }, {
    iss: p.project.account.client_email, scope: 'https://www.googleapis.com/auth/firebase.messaging', aud: p.oauth.url,
    iat, exp: iat + 3600, ...claims,
  }, key);
}

const begun = now();	// another second would be another token
const provider = (claims = {}, kid = p.key.keyId, options = { dsaEncoding: 'ieee-p1363' }) =>
  jwt({ alg: 'ES256', kid }, { iss: p.key.team, iat: begun, ...claims }, readFileSync(p.key.file), options);

function token(form) {
  return new Promise((resolve, reject) => {
    const req = request(p.oauth.url, { method: 'POST', ca, headers: { 'content-type': 'application/x-www-form-urlencoded' } }, async (res) => {
      const chunks = [];
      for await (const c of res) chunks.push(c);
      resolve({ status: res.statusCode, body: JSON.parse(Buffer.concat(chunks)) });
    });
    req.on('error', reject);
    req.end(new URLSearchParams(form).toString());
  });
}
const grant = (a = assertion()) => token({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: a });

async function open(server) {
  const session = connect(server.url, { ca });
  session.on('error', () => {});
  sessions.add(session);
  await once(session, 'remoteSettings');
  return session;
}

const parsed = (b) => (/^[{[]/.test(b) ? JSON.parse(b) : undefined);

// -> { status, headers, body } or { reset: code }
function ask(session, headers, body) {
  return new Promise((resolve) => {
    const stream = session.request({ ':method': 'POST', ...headers });
    const chunks = [];
    let head;
    stream.on('response', (h) => { head = h; });
    stream.on('data', (c) => chunks.push(c));
    stream.on('error', () => {});
    stream.on('close', () => resolve(head && stream.rstCode === 0
      ? { status: head[':status'], headers: head, body: parsed(Buffer.concat(chunks)) }
      : { reset: stream.rstCode }));
    stream.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
  });
}

const fcm = (session, bearer, message, headers = {}) => ask(session, {
  ':path': '/v1/projects/pairwire-test/messages:send', authorization: `Bearer ${bearer}`, 'content-type': 'application/json', ...headers,
}, { message });
const apns = (session, hex, { headers = {}, body = { aps: { alert: 'x' } }, bearer = provider() } = {}) => ask(session, {
  ':path': `/3/device/${hex}`, authorization: `bearer ${bearer}`, 'apns-topic': p.key.topics[0], 'apns-push-type': 'alert', ...headers,
}, body);

// What a request is answered, and that it was noted as wrong.
async function refused(answer, status, violation) {
  assert.equal((await answer).status, status);
  const all = p.violations;
  assert.equal(all.length, 1, `${all}`);
  assert.match(all[0], violation);
  for (const one of p.all) one.forget();
}

test('a token for a right assertion, and for no other', async () => {
  const good = await grant();
  assert.equal(good.status, 200);
  assert.equal(good.body.token_type, 'Bearer');
  const wrong = {
    exp: { exp: now() + 4000 }, iss: { iss: 'someone@else' }, scope: { scope: 'email' }, aud: { aud: 'https://elsewhere/token' },
    iat: { iat: now() - 4000, exp: now() - 400 + 800 }, sub: { sub: 'me' },
  };
  assert.deepEqual(p.violations, []);
  for (const [name, claims] of Object.entries(wrong)) {
    p.forget();
    assert.deepEqual([(await grant(assertion(claims))).status, name], [400, name]);
    assert.match(p.violations[0], new RegExp(`oauth: ${name}`));
  }
  p.forget();
  const other = p.addProject('another-project');
  await refused(grant(assertion({}, other.key.pem)), 400, /signature/);
  await refused(token({ grant_type: 'password', assertion: assertion() }), 400, /grant_type/);
});

test('FCM takes what it documents, and nothing else', async () => {
  const session = await open(p.fcm);
  const { access_token: bearer } = (await grant()).body;
  const good = { token: 't1', data: { a: 'b' }, android: { ttl: '60s', priority: 'HIGH', collapse_key: 'c', notification: { tag: 'x' } } };
  const answer = await fcm(session, bearer, good);
  assert.deepEqual([answer.status, p.violations], [200, []]);
  assert.match(answer.body.name, /^projects\/pairwire-test\/messages\//);
  assert.equal(p.fcm.shown.length, 1);
  const bad = [
    [{ ...good, topic: 't' }, /not exactly one target/], [{ data: {} }, /not exactly one target/],
    [{ ...good, data: { a: 1 } }, /data: not strings/], [{ ...good, data: { 'google.x': '1' } }, /google.x: Invalid data/],
    [{ ...good, data: { from: '1' } }, /Invalid data/], [{ ...good, android: { ttl: 60 } }, /ttl: not a time/],
    [{ ...good, android: { ttl: '2419201s' } }, /ttl/], [{ ...good, android: { priority: 'high' } }, /priority/],
    [{ ...good, sound: 'x' }, /Cannot find field/], [{ ...good, apns: { payload: { aps: { badge: '1' } } } }, /badge: not a count/],
    [{ ...good, data: { a: 'x'.repeat(4096) } }, /too big/], [{ ...good, apns: { headers: { 'apns-priority': 5 } } }, /headers/],
  ];
  for (const [message, why] of bad) await refused(fcm(session, bearer, message), 400, why);
  await refused(fcm(session, 'nonsense', good), 401, /nobody issued/);
  await refused(fcm(session, bearer, good, { ':path': '/v1/projects/other/messages:send' }), 404, /project other/);
  p.oauth.revokeAll();
  assert.equal((await fcm(session, bearer, good)).status, 401);
  assert.deepEqual(p.violations, []);
  session.close();
});

test('APNs takes what it documents, and nothing else', async () => {
  const session = await open(p.apns);
  const hex = 'ab'.repeat(32);
  assert.equal(session.remoteSettings.maxConcurrentStreams, 1);
  const raised = once(session, 'remoteSettings');
  const answer = await apns(session, hex);
  assert.deepEqual([answer.status, answer.body, p.violations], [200, undefined, []]);
  assert.match(answer.headers['apns-id'], /^[0-9a-f-]{36}$/);
  await raised;
  assert.equal(session.remoteSettings.maxConcurrentStreams, 1000);
  const bad = [
    [{ headers: { 'apns-push-type': 'loud' } }, 400, /InvalidPushType/], [{ headers: { 'apns-priority': '7' } }, 400, /BadPriority/],
    [{ headers: { 'apns-push-type': 'background' }, body: { aps: { 'content-available': 1 } } }, 400, /BadPriority: 10 for background/],
    [{ headers: { 'apns-topic': 'com.other' } }, 400, /TopicDisallowed/], [{ headers: { 'apns-collapse-id': 'x'.repeat(65) } }, 400, /BadCollapseId/],
    [{ headers: { 'apns-expiration': 'soon' } }, 400, /BadExpirationDate/], [{ headers: { 'apns-id': 'X' } }, 400, /BadMessageId/],
    [{ body: '' }, 400, /PayloadEmpty/], [{ body: { aps: { alert: 'x'.repeat(4096) } } }, 413, /PayloadTooLarge/], [{ body: { a: 1 } }, 400, /no aps/],
    [{ bearer: provider({ iss: 'OTHER12345' }) }, 403, /iss OTHER/], [{ bearer: provider({}, 'ZZZ1234567') }, 403, /kid ZZZ/],
    [{ bearer: provider({}, p.key.keyId, {}) }, 403, /signature/], [{ bearer: provider({ iat: begun - 3700 }) }, 403, /ExpiredProviderToken/],
    [{ bearer: provider({ iat: begun - 60 }) }, 429, /TooManyProviderTokenUpdates/],
  ];
  for (const [options, status, why] of bad) await refused(apns(session, hex, options), status, why);
  await refused(apns(session, 'nohex'), 400, /BadDeviceToken/);
  session.close();
});

test('every error on demand', async () => {
  const [f, a] = [await open(p.fcm), await open(p.apns)];
  const { access_token: bearer } = (await grant()).body;
  for (const reason of Object.keys(APNS_REASONS)) {
    p.apns.script('ab', apnsError(reason, { timestamp: 5, retryAfter: 3 }));
    const { status, body, headers } = await apns(a, 'ab');
    assert.deepEqual([status, body, headers['retry-after']], [APNS_REASONS[reason], { reason, timestamp: 5 }, '3']);
  }
  p.fcm.script('t', fcmError('UNREGISTERED')).always('t', fcmError('QUOTA_EXCEEDED', { retryAfter: new Date(86400e3) }));
  assert.equal((await fcm(f, bearer, { token: 't' })).body.error.details[0].errorCode, 'UNREGISTERED');
  const quota = await fcm(f, bearer, { token: 't' });
  assert.deepEqual([quota.status, quota.headers['retry-after']], [429, 'Fri, 02 Jan 1970 00:00:00 GMT']);
  assert.deepEqual(p.violations, []);
  p.forget();
  f.close();
  a.close();
});

test('connections that end', async () => {
  const session = await open(p.fcm);
  const { access_token: bearer } = (await grant()).body;
  p.fcm.script('r', { reset: 'REFUSED_STREAM' }).script('d', { drop: true, shown: true });
  assert.deepEqual(await fcm(session, bearer, { token: 'r' }), { reset: constants.NGHTTP2_REFUSED_STREAM });
  const release = p.fcm.hold();
  const many = Array.from({ length: 10 }, (_, i) => fcm(session, bearer, { token: `t${i}` }));
  await once(p.fcm, 'request');
  while (p.fcm.requests.length < 11) await once(p.fcm, 'request');
  const goaway = once(session, 'goaway');
  p.fcm.goAwayAll({ share: 0.5, reason: 'Shutdown' });
  release();
  const [code, last, data] = await goaway;
  assert.deepEqual([code, JSON.parse(data)], [0, { reason: 'Shutdown' }]);
  const done = (await Promise.all(many.slice(0, 5))).map((r) => r.status);
  assert.deepEqual(done, Array(5).fill(200));
  assert.equal(last, p.fcm.of('t4')[0].stream);
  assert.deepEqual([p.fcm.of('t5')[0].shown, p.violations], [false, []]);
  session.destroy();
  const dropped = await open(p.fcm);
  assert.equal((await fcm(dropped, bearer, { token: 'd' })).status, undefined);
  assert.deepEqual([p.fcm.of('d')[0].shown, p.violations], [true, []]);
});
