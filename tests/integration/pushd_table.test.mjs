// Each answer of FCM and APNs once: what becomes of the notification, the
// device's token and the queue's entry.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { apnsError, APNS_REASONS, fcmError, FCM_PLAIN } from '../fakes/providers.mjs';
import { pushSuite } from './lib/pushd.mjs';
import { eventually } from './lib/wait.mjs';

const html = (status) => ({ status, body: '<html><h1>Error</h1></html>' });

// provider, name, answer, reason (as counted, and in the dead letter)
const DELETED = [
  ['fcm', 'UNREGISTERED', fcmError('UNREGISTERED')],
  ['fcm', 'INVALID_ARGUMENT', fcmError('INVALID_ARGUMENT')],
  ['fcm', 'SENDER_ID_MISMATCH', fcmError('SENDER_ID_MISMATCH')],
  ['apns', 'BadDeviceToken', apnsError('BadDeviceToken')],
  ['apns', 'DeviceTokenNotForTopic', apnsError('DeviceTokenNotForTopic')],
  ['apns', 'Unregistered', apnsError('Unregistered', { timestamp: Date.now() + 60e3 })],
  ['apns', 'ExpiredToken', apnsError('ExpiredToken', { timestamp: Date.now() + 60e3 })],
];
const REJECTED = [
  ['fcm', 'INVALID_ARGUMENT', FCM_PLAIN.badRequest],
  ['fcm', 'THIRD_PARTY_AUTH_ERROR', fcmError('THIRD_PARTY_AUTH_ERROR')],
  ['fcm', 'other', html(418)],
  ...['BadCollapseId', 'BadExpirationDate', 'BadMessageId', 'BadPriority', 'BadTopic', 'DuplicateHeaders', 'InvalidPushType',
    'MissingDeviceToken', 'MissingTopic', 'PayloadEmpty', 'TopicDisallowed', 'BadPath', 'MethodNotAllowed', 'PayloadTooLarge',
  ].map((reason) => ['apns', reason, apnsError(reason)]),
];
// the last: at least so long until it is tried again, ms
const RETRIED = [
  ['fcm', 'INTERNAL', fcmError('INTERNAL'), 1000],
  ['fcm', 'UNAVAILABLE', fcmError('UNAVAILABLE'), 1000],
  ['fcm', 'UNAVAILABLE', fcmError('UNAVAILABLE', { retryAfter: 2 }), 2000],
  ['fcm', 'http_502', html(502), 1000],
  ['apns', 'IdleTimeout', apnsError('IdleTimeout'), 1000],
  ['apns', 'TooManyRequests', apnsError('TooManyRequests'), 1000],
  ['apns', 'InternalServerError', apnsError('InternalServerError'), 1000],
  ['apns', 'ServiceUnavailable', apnsError('ServiceUnavailable', { retryAfter: 2 }), 2000],
  ['apns', 'Shutdown', apnsError('Shutdown'), 1000],
];
// Everybody waits then; without a time: until the date.
const PAUSED = [
  ['fcm', 'QUOTA_EXCEEDED', () => fcmError('QUOTA_EXCEEDED', { retryAfter: 1 }), 1000],
  ['fcm', 'QUOTA_EXCEEDED', () => fcmError('QUOTA_EXCEEDED', { retryAfter: new Date(Math.floor(Date.now() / 1000 + 8) * 1000) })],
  ['apns', 'TooManyProviderTokenUpdates', () => apnsError('TooManyProviderTokenUpdates', { retryAfter: 1 }), 1000],
];
const MISCONFIGURED = [
  ['fcm', 'PERMISSION_DENIED', FCM_PLAIN.disabled],
  ['fcm', 'http_404', FCM_PLAIN.notFound],
  ...['BadCertificate', 'BadCertificateEnvironment', 'BadEnvironmentKeyIdInToken', 'Forbidden', 'InvalidProviderToken',
    'MissingProviderToken', 'UnrelatedKeyIdInToken'].map((reason) => ['apns', reason, apnsError(reason)]),
];
const RENEWED = [
  ['fcm', 'UNAUTHENTICATED', FCM_PLAIN.unauthenticated],
  ['apns', 'ExpiredProviderToken', apnsError('ExpiredProviderToken')],
];

// A device for each row; -> [{ row, device, event }]
async function cases(w, rows) {
  const all = await Promise.all(rows.map(async (row) => ({ row, device: await w.owner(row[0]) })));
  for (const c of all) c.event = w.event(c.device.user);
  return all;
}

const failed = async (w, [provider, reason]) => w.daemon.metric('failed_total', { provider, reason });

// How much each row's counter grew while fn ran, by name.
async function counting(w, rows, fn) {
  const before = await Promise.all(rows.map((row) => failed(w, row)));
  await fn();
  for (const [i, row] of rows.entries()) {
    const same = rows.filter(([p, r]) => p === row[0] && r === row[1]).length;
    assert.equal(await failed(w, row) - before[i], same, `failed_total ${row.slice(0, 2)}`);
  }
}

const count = (text, pattern) => text.split('\n').filter((line) => pattern.test(line)).length;

await pushSuite({}, {
  async 'every reason that is known is tried here'() {
    const here = [...DELETED, ...REJECTED, ...RETRIED, ...PAUSED, ...MISCONFIGURED, ...RENEWED].map(([, reason]) => reason);
    assert.deepEqual(Object.keys(APNS_REASONS).filter((r) => !here.includes(r)), []);
  },

  async 'a token that is no more is deleted, and not asked again'(w) {
    const all = await cases(w, DELETED);
    for (const { row, device } of all) w.fakeOf(row[0]).always(device.token, row[2]);
    const deleted = async () => w.daemon.metric('tokens_deleted_total');
    const before = await deleted();
    await counting(w, DELETED, async () => {
      await w.queue(...all.map((c) => c.event));
      await w.settled();
    });
    for (const { row, device } of all) {
      await eventually(async () => !await w.hasDevice(device), `${row[1]} deleted`);
      assert.equal(w.sent(device).length, 1, row[1]);
    }
    assert.equal(await deleted() - before, DELETED.length);
    assert.deepEqual(await w.deadLetters(), []);
  },

  async 'what never will be taken goes to the dead letter; the token stays'(w) {
    const all = await cases(w, REJECTED);
    for (const { row, device } of all) w.fakeOf(row[0]).always(device.token, row[2]);
    const since = w.daemon.mark();
    await counting(w, REJECTED, async () => {
      await w.queue(...all.map((c) => c.event));
      await w.settled();
    });
    const letters = await w.deadLetters();
    assert.equal(letters.length, REJECTED.length);
    for (const { row, device, event } of all) {
      const letter = letters.find((l) => JSON.parse(l.event).userId === device.user);
      assert.deepEqual(JSON.parse(letter.event), event);
      assert.match(letter.reason, new RegExp(row[1]));
      assert.match(letter.source, /^push_notifications\/\d+-\d+$/);
      assert.ok(await w.hasDevice(device), row[1]);
      assert.equal(w.sent(device).length, 1, row[1]);
      assert.equal(count(since(), new RegExp(`error.*reason="${row[1]}"$`)), 1, row[1]);
    }
  },

  async 'what may pass is tried again after a while; the entry waits for it'(w) {
    const all = await cases(w, RETRIED);
    for (const { row, device } of all) w.fakeOf(row[0]).script(device.token, row[2]);
    await counting(w, RETRIED, async () => {
      await w.queue(...all.map((c) => c.event));
      await eventually(() => all.every((c) => w.sent(c.device).length > 0), 'first tries');
      const waiting = await w.waiting();
      assert.ok(waiting >= all.filter((c) => w.shown(c.device).length === 0).length, `${waiting} wait`);
      await w.settled();
    });
    for (const { row, device } of all) {
      const [first, second, ...more] = w.sent(device);
      assert.deepEqual([first.shown, second.shown, more], [false, true, []], row[1]);
      assert.equal(second.collapse, first.collapse);
      assert.ok(second.at - first.answeredAt >= row[3], `${row[1]}: ${second.at - first.answeredAt} ms`);
      assert.ok(await w.hasDevice(device));
    }
    assert.deepEqual(await w.deadLetters(), []);
  },

  async 'a provider that asks for a pause gets one from all'(w) {
    for (const [provider, reason, behaviour, least] of PAUSED) {
      const [one, other] = [await w.owner(provider), await w.owner(provider)];
      const answer = behaviour();
      w.fakeOf(provider).script(one.token, answer);
      const known = await failed(w, [provider, reason]);
      await counting(w, [[provider, reason]], async () => {
        await w.notify([one.user]);
        const [first] = await eventually(() => w.sent(one).length && w.sent(one), 'a try');
        await eventually(() => first.answeredAt, 'an answer');
        await eventually(async () => await failed(w, [provider, reason]) > known, 'that it is known');
        await w.notify([other.user]);
        await w.settled();
        const until = least ? first.answeredAt + least : answer.retryAfter.getTime();
        for (const d of [one, other]) assert.ok(w.shown(d)[0].at >= until, `${reason}: ${until - w.shown(d)[0].at} ms too soon`);
      });
    }
    assert.deepEqual(await w.deadLetters(), []);
  },

  async 'a wrong setting stops its sender, is told once, and loses nothing'(w) {
    for (const row of MISCONFIGURED) {
      const [provider, reason, behaviour] = row;
      const [one, other] = [await w.owner(provider), await w.owner(provider)];
      w.fakeOf(provider).script('*', behaviour);
      const since = w.daemon.mark();
      const opened = await w.daemon.metric('breaker_open_total', { provider });
      await counting(w, [row], async () => {
        await w.notify([one.user]);
        await eventually(() => w.sent(one).length, 'a try');
        await w.notify([other.user]);
        await w.settled();
      });
      assert.deepEqual([w.shown(one).length, w.sent(one).length], [1, 2], reason);
      assert.equal(w.shown(other).length, 1, reason);
      assert.equal(await w.daemon.metric('breaker_open_total', { provider }) - opened, 1, reason);
      assert.equal(count(since(), new RegExp(`error.*reason="${reason}"$`)), 1, `${reason}: ${since()}`);
      assert.ok(await w.hasDevice(one));
    }
    assert.deepEqual(await w.deadLetters(), []);
  },

  async 'a refused credential is renewed once, and the notification sent at once'(w) {
    const [before, device] = [await w.owner('fcm'), await w.owner('fcm')];
    await w.notify([before.user]);
    await w.settled();
    w.fcm.script(device.token, FCM_PLAIN.unauthenticated);
    const fetched = w.oauth.requests.length;
    const retried = await w.daemon.metric('retries_total');
    await w.notify([device.user]);
    await w.settled();
    const [first, second] = w.sent(device);
    assert.deepEqual([first.shown, second.shown, w.sent(device).length], [false, true, 2]);
    assert.notEqual(second.headers.authorization, first.headers.authorization);
    assert.equal(w.oauth.requests.length - fetched, 1);
    assert.equal(await w.daemon.metric('retries_total'), retried, 'not after a while');
  },

  async 'a device of each kind gets one notification'(w) {
    const user = randomUUID();
    const devices = [await w.device(user, 'fcm'), await w.device(user, 'fcm', { platform: 'ios' }), await w.device(user, 'apns'),
      await w.device(user, 'apns', { environment: 'sandbox' })];
    await w.device(user, 'carrier pigeon');
    await w.notify([user]);
    await w.settled();
    for (const d of devices) assert.equal(w.shown(d).length, 1);
    assert.equal(w.providers.sandbox.of(devices[3].token).length, 1);
    for (const provider of ['fcm', 'apns']) assert.ok(await w.daemon.metric('sent_total', { provider }) >= 2);
  },

  async 'poison goes to the dead letter, and what is behind it is delivered'(w) {
    const device = await w.owner();
    const bad = ['', 'null', '[]', '{', '{"userId":1,"type":"x"}', '{"type":"new_message"}', '{"userId":"u","type":""}',
      '{"userId":"u","type":"new_message","data":[]}', '\u0000', `{"userId":"${'u'.repeat(200)}","type":"x"}`];
    await w.queue(...bad, w.event(device.user));
    await w.settled();
    const letters = await w.deadLetters();
    assert.deepEqual(letters.map((l) => l.event), bad);
    for (const l of letters) assert.ok(l.reason.length > 3, JSON.stringify(l));
    assert.equal(w.shown(device).length, 1);
  },

  async 'who has no device, and what is too old, is done with'(w) {
    const device = await w.owner();
    const before = await w.daemon.metric('events_expired_total');
    const alone = await w.daemon.metric('events_no_device_total');
    await w.queue(w.event(device.user, {}, { expiresAt: new Date(Date.now() - 1000).toISOString() }), w.event(randomUUID()));
    await w.settled();
    assert.equal(await w.daemon.metric('events_expired_total') - before, 1);
    assert.equal(await w.daemon.metric('events_no_device_total') - alone, 1);
    assert.deepEqual(w.sent(device), []);
  },

  async 'what a provider never took before its end is a dead letter'(w) {
    const device = await w.owner();
    w.fcm.always(device.token, fcmError('UNAVAILABLE'));
    await w.queue(w.event(device.user, {}, { expiresAt: new Date(Date.now() + 8000).toISOString() }));
    await w.settled();
    const [letter] = await w.deadLetters();
    assert.match(letter.reason, /UNAVAILABLE/);
    assert.ok(Number(letter.attempts) >= 2, letter.attempts);
    assert.equal(w.sent(device).length, Number(letter.attempts));
    assert.ok(await w.hasDevice(device));
  },
});
