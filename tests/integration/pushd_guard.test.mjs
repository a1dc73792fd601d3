// Dead tokens are deleted, but never because of a mistake that is ours.
import assert from 'node:assert/strict';
import { apnsError, fcmError } from '../fakes/providers.mjs';
import { pushSuite } from './lib/pushd.mjs';
import { eventually } from './lib/wait.mjs';

const owners = (w, provider, n, columns) => Promise.all(Array.from({ length: n }, () => w.owner(provider, columns)));
const users = (devices) => devices.map((d) => d.user);
const DEAD = { fcm: () => fcmError('UNREGISTERED'), apns: () => apnsError('BadDeviceToken') };
const WRONG = { fcm: () => fcmError('SENDER_ID_MISMATCH'), apns: () => apnsError('BadDeviceToken') };

const left = async (w, devices) => (await Promise.all(devices.map((d) => w.hasDevice(d)))).filter((x) => x).length;

async function notify(w, devices) {
  await w.notify(users(devices));
  await w.settled();
}

// Some are taken: deletions are earned by that.
async function earn(w, provider) {
  await notify(w, await owners(w, provider, 20));
}

await pushSuite({ pushd: { push_guard: 30, push_guard_hold: '500ms' } }, {
  async 'a few dead ones among many go; the others stay'(w) {
    for (const provider of ['fcm', 'apns']) {
      const devices = await owners(w, provider, 60);
      const dead = devices.filter((_, i) => i % 10 === 9);
      for (const d of dead) w.fakeOf(provider).always(d.token, DEAD[provider]());
      await notify(w, devices.filter((d) => !dead.includes(d)));
      await notify(w, dead);
      await eventually(async () => await left(w, dead) === 0, 'deleted');
      assert.equal(await left(w, devices), 54);
    }
  },

  async 'a token that was changed meanwhile is another token'(w) {
    await earn(w, 'fcm');
    const [changed, dead] = await owners(w, 'fcm', 2);
    for (const d of [changed, dead]) w.fcm.always(d.token, DEAD.fcm());
    const release = w.fcm.hold();
    await w.notify(users([changed, dead]));
    await eventually(() => w.sent(changed).length && w.sent(dead).length, 'both tried');
    await w.pg.query('UPDATE devices SET push_token = $2 WHERE id = $1', [changed.id, `${changed.token}new`]);
    release();
    await eventually(async () => !await w.hasDevice(dead), 'deleted');
    assert.equal((await w.devices(changed.user))[0].push_token, `${changed.token}new`);
  },

  async 'APNs says since when: what was registered later is kept'(w) {
    await earn(w, 'apns');
    const now = Date.now();
    const [older] = await owners(w, 'apns', 1, { updated_at: new Date(now - 3600e3) });
    const [newer] = await owners(w, 'apns', 1, { updated_at: new Date(now) });
    const [unknown] = await owners(w, 'apns', 1, { updated_at: null });
    for (const d of [older, newer, unknown]) w.apns.always(d.token, apnsError('Unregistered', { timestamp: now - 60e3 }));
    await notify(w, [newer, older, unknown]);
    await eventually(async () => await left(w, [older, unknown]) === 0, 'deleted');
    assert.equal(await left(w, [newer]), 1);
  },

  async 'a device that is notified again before its token is gone: one deletion'(w) {
    await earn(w, 'fcm');
    const [device] = await owners(w, 'fcm', 1);
    w.fcm.always(device.token, DEAD.fcm());
    const before = await w.daemon.metric('tokens_deleted_total');
    await w.notify([device.user, device.user]);
    await w.settled();
    await eventually(async () => !await w.hasDevice(device), 'deleted');
    assert.ok(await w.daemon.metric('tokens_deleted_total') - before >= 1);
  },

  async 'started with the wrong credentials: not even the first few are deleted'(w) {
    await w.daemon.end();
    await w.daemon.start();
    const all = [];
    for (const provider of ['fcm', 'apns']) {
      w.fakeOf(provider).always('*', WRONG[provider]());
      const devices = await owners(w, provider, 4);
      all.push(...devices);
      await notify(w, devices);
    }
    await eventually(async (note) => {
      const off = await w.daemon.metric('tokens_put_off_total');
      note(off);
      return off === 8;
    }, 'all due');
    assert.equal(await left(w, all), 8);
    assert.equal(await w.daemon.metric('tokens_deleted_total'), 0);
  },

  async 'the wrong project: every token is called dead, and every row is kept'(w) {
    await w.daemon.end();
    await w.daemon.start();	// with the guard as it is at first
    const all = [];
    const since = w.daemon.mark();
    for (const provider of ['fcm', 'apns']) {
      const devices = await owners(w, provider, 80);
      all.push(...devices);
      w.fakeOf(provider).always('*', WRONG[provider]());
      await notify(w, devices);
    }
    await eventually(async (note) => {
      // put off: the first few, if they fell due before the guard had seen more
      const kept = await w.daemon.metric('tokens_kept_total') + await w.daemon.metric('tokens_put_off_total');
      note(kept);
      return kept >= 160;
    }, 'all judged');
    assert.equal(await left(w, all), 160);
    assert.equal(await w.daemon.metric('tokens_deleted_total'), 0);
    for (const name of ['fcm', 'apns']) assert.equal(since().split('\n').filter((l) => l.includes(` ${name}: calls too many tokens dead`)).length, 1, name);
  },

  async 'and while it holds, none is deleted; nobody is kept from being notified'(w) {
    const devices = await owners(w, 'fcm', 20);
    for (const d of devices.slice(18)) w.fcm.always(d.token, DEAD.fcm());
    const kept = await w.daemon.metric('tokens_kept_total');
    await notify(w, devices);
    for (const d of devices.slice(0, 18)) assert.equal(w.shown(d).length, 1);
    await eventually(async () => await w.daemon.metric('tokens_kept_total') - kept === 2, 'both judged');
    assert.equal(await left(w, devices), 20);
  },
});
