// One notification per message and device, whatever is repeated, and none for
// what its recipient has.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { pushSuite, STREAM } from './lib/pushd.mjs';
import { eventually } from './lib/wait.mjs';

const CONF = { push: { push_take_back: 'on' }, pushd: { pushd_lease: '6s' } };

const readEvent = (user, match, ids) => ({
  v: 1, userId: user, type: 'message_read', data: { matchId: match, messageIds: ids },
  queuedAt: new Date().toISOString(), expiresAt: new Date(Date.now() + 3600e3).toISOString(),
});

await pushSuite(CONF, {
  async 'an event that is in the queue twice is shown once'(w) {
    const users = await Promise.all(Array.from({ length: 20 }, async (_, i) => w.owner(i % 2 ? 'apns' : 'fcm')));
    const events = users.map((d) => w.event(d.user));
    await w.queue(...events, ...events);
    await w.settled();
    await w.queue(...events);
    await w.settled();
    for (const d of users) assert.equal(w.sent(d).length, 1);
    const repeated = await w.daemon.metric('events_repeated_total');
    assert.equal(repeated, 40);
  },

  async 'a device that comes later gets what the others had'(w) {
    const first = await w.owner();
    const event = w.event(first.user);
    await w.queue(event);
    await w.settled();
    const second = await w.device(first.user, 'apns');
    await w.queue(event);
    await w.settled();
    assert.deepEqual([w.sent(first).length, w.shown(second).length], [1, 1]);
  },

  async 'events without an id are never repeats'(w) {
    const device = await w.owner();
    const event = { userId: device.user, type: 'reminder', data: { title: 'x' } };
    await w.queue(event, event);
    await w.settled();
    assert.equal(w.shown(device).length, 2);
  },

  async 'killed after sending: its successor shows nothing twice, and loses nothing'(w) {
    const devices = await Promise.all(Array.from({ length: 60 }, async (_, i) => w.owner(i % 2 ? 'apns' : 'fcm')));
    // a third is answered, a third in flight, a third held up
    for (const [i, d] of devices.entries()) if (i % 3 === 1) w.fakeOf(i % 2 ? 'apns' : 'fcm').script(d.token, { stall: true });
    for (const [i, d] of devices.entries()) if (i % 3 === 2) w.fakeOf(i % 2 ? 'apns' : 'fcm').script(d.token, { status: 503, reason: 'ServiceUnavailable', retryAfter: 60 });
    await w.notify(devices.map((d) => d.user));
    await eventually(() => devices.every((d) => w.sent(d).length === 1) && devices.filter((_, i) => i % 3 === 0).every((d) => w.shown(d).length), 'first tries');
    // what was answered is acknowledged: only then it is known for sure
    await eventually(async () => await w.waiting() === 40, 'acknowledgements');
    await w.daemon.end('SIGKILL');
    assert.equal(await w.waiting(), 40);
    await w.daemon.start();
    await w.settled();
    for (const [i, d] of devices.entries()) {
      const requests = w.sent(d);
      assert.equal(w.shown(d).length, 1, `device ${i}`);
      assert.ok(requests.length <= 2 && new Set(requests.map((r) => r.collapse)).size === 1, `device ${i}`);
    }
  },

  async 'killed between the devices of an event: only the others get it'(w) {
    const user = randomUUID();
    const [quick, slow] = [await w.device(user, 'fcm'), await w.device(user, 'apns')];
    w.apns.script(slow.token, { stall: true });
    const [event] = await w.notify([user]);
    await eventually(() => w.shown(quick).length && w.sent(slow).length, 'both tried');
    await eventually(async () => await w.redis.sIsMember(`pw:pd:${event.data.messageId}`, quick.id), 'the mark of the first');
    await w.daemon.end('SIGKILL');
    await w.daemon.start();
    await w.settled();
    assert.deepEqual([w.sent(quick).length, w.shown(slow).length], [1, 1]);
  },

  async 'two in a group, one of them killed: the other takes over what was in its hands'(w) {
    const other = await w.start();
    const devices = await Promise.all(Array.from({ length: 400 }, async (_, i) => w.owner(i % 2 ? 'apns' : 'fcm')));
    w.fcm.script(devices[0].token, { status: 503, retryAfter: 2 });
    const release = w.apns.hold();
    const events = [];
    const begun = await w.daemon.metric('events_total');
    for (let i = 0; i < 400; i += 10) events.push(...await w.notify(devices.slice(i, i + 10).map((d) => d.user)));
    await eventually(async () => await other.metric('in_flight') > 0 && await w.daemon.metric('events_total') > begun, 'both at work');
    await other.end('SIGKILL');
    const had = await Promise.all(devices.map((d, i) => w.had(events[i], d)));
    release();
    await w.settled();
    for (const [i, d] of devices.entries()) {
      assert.ok(w.shown(d).length === 1 || (w.shown(d).length === 2 && !had[i]), `${w.shown(d).length} times, marked: ${had[i]}`);
      assert.equal(new Set(w.sent(d).map((r) => r.collapse)).size, 1);
    }
  },

  async 'a message delivered or read meanwhile is not notified'(w) {
    const [got, read, away] = [await w.owner(), await w.owner('apns'), await w.owner()];
    const at = new Date();
    const messages = [await w.message(got.user, { deliveredAt: at, owe: 0 }), await w.message(read.user, { deliveredAt: at, readAt: at, owe: 0 }),
      await w.message(away.user)];
    const skipped = await w.daemon.metric('events_skipped_total');
    await w.queue(...messages.map((m) => w.eventOf(m)));
    await w.settled();
    assert.deepEqual([w.sent(got).length, w.sent(read).length, w.shown(away).length], [0, 0, 1]);
    assert.equal(await w.daemon.metric('events_skipped_total') - skipped, 2);
    // the queue may lose what it has: until now the message was owed
    await eventually(async () => (await w.store.one(messages[2].id)).owe === 0, 'nothing owed');
  },

  async 'with skip_if_delivered off it is'(w) {
    const device = await w.owner();
    const m = await w.message(device.user, { deliveredAt: new Date(), owe: 0 });
    await w.daemon.end();
    const conf = w.daemon.conf;
    w.daemon.configure({ ...conf, pushd: { ...conf.pushd, skip_if_delivered: 'off' } });
    await w.daemon.start();
    await w.queue(w.eventOf(m));
    await w.settled();
    assert.equal(w.shown(device).length, 1);
    await w.daemon.end();
    w.daemon.configure(conf);
    await w.daemon.start();
  },

  async 'what was read on one device leaves those that showed it'(w) {
    const user = randomUUID();
    const match = randomUUID();
    const [phone, tablet] = [await w.device(user, 'fcm'), await w.device(user, 'apns')];
    await w.unread(user, { [match]: 2, other: 1 });
    const events = [w.event(user, { matchId: match }), w.event(user, { matchId: match })];
    await w.queue(...events);
    await w.settled();
    assert.deepEqual([w.shown(phone).length, w.shown(tablet).length], [2, 2]);
    const later = await w.device(user, 'apns');
    await w.unread(user, { [match]: 0 });
    await w.queue(readEvent(user, match, events.map((e) => e.data.messageId)));
    await w.settled();
    assert.deepEqual([w.shown(phone).length, w.shown(tablet).length, w.sent(later).length], [3, 3, 0]);
    const silent = w.shown(tablet)[2];
    assert.deepEqual([silent.headers['apns-push-type'], silent.headers['apns-priority'], silent.body.aps['content-available'], silent.body.aps.alert],
      ['background', '5', 1, undefined]);
    assert.deepEqual([w.shown(tablet)[1].body.aps.badge, silent.body.aps.badge, silent.body.messageIds], [3, 1, JSON.stringify(events.map((e) => e.data.messageId))]);
    const { message } = w.shown(phone)[2];
    assert.equal(message.notification ?? message.android?.notification, undefined);
    assert.equal(message.data.type, 'message_read');
  },

  async 'a read of what was not notified sends nothing'(w) {
    const device = await w.owner();
    await w.queue(readEvent(device.user, randomUUID(), ['0123456789abcdef01234567']));
    await w.settled();
    assert.deepEqual(w.sent(device), []);
    assert.equal(await w.redis.xLen(STREAM), 0);
  },
});
