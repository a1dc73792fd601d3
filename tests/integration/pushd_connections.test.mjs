// Connections that end, hang and refuse in mid-flight: each event is shown once
// on each device. What may have been shown is repeated with the same collapse id.
import assert from 'node:assert/strict';
import { apnsError, fcmError } from '../fakes/providers.mjs';
import { pushSuite } from './lib/pushd.mjs';
import { eventually } from './lib/wait.mjs';

const PROVIDERS = ['fcm', 'apns'];
const TIMEOUT = 8000;	// until an answer is given up waiting for; a machine that stands still must not

const owners = (w, provider, n) => Promise.all(Array.from({ length: n }, () => w.owner(provider)));

// Each device got its notification; -> how many were shown again because nobody
// could know, all with their first one's collapse id.
function shownOnce(w, devices) {
  let again = 0;
  for (const d of devices) {
    const shown = w.shown(d);
    const unknown = w.sent(d).filter((r) => r.unknown).length;
    assert.ok(shown.length >= 1 && shown.length <= 1 + unknown, `${shown.length} times, ${unknown} unknown`);
    assert.equal(new Set(w.sent(d).map((r) => r.collapse)).size, 1);
    again += shown.length - 1;
  }
  return again;
}

await pushSuite({ pushd: { push_timeout: `${TIMEOUT}ms`, push_connections: 2 } }, {
  async 'GOAWAY with 200 in flight: what it left undone goes elsewhere, nothing twice'(w) {
    for (const provider of PROVIDERS) {
      const fake = w.fakeOf(provider);
      const devices = await owners(w, provider, 200);
      const [first] = devices.splice(0, 1);
      await w.notify([first.user]);
      await w.settled();
      const release = fake.hold();
      const since = w.daemon.mark();
      await w.notify(devices.map((d) => d.user));
      await eventually(() => fake.requests.length > 60, 'many in flight');
      fake.goAwayAll({ share: 0.5, reason: 'Shutdown' });
      release();
      await w.settled();
      assert.equal(shownOnce(w, devices), 0);
      assert.ok(fake.requests.some((r) => r.abandoned), 'some were left undone');
      assert.ok(!/error/.test(since().replace(/[^\n]* debug [^\n]*/g, '')), since().slice(0, 400));
    }
  },

  async 'GOAWAY again and again'(w) {
    const devices = await owners(w, 'fcm', 300);
    w.fcm.latency = 20;
    w.fcm.script('*', ...Array.from({ length: 300 }, (_, i) => (i % 40 === 39 ? { goaway: { share: [1, 0.5, 0][Math.floor(i / 40) % 3] } } : {})));
    await w.notify(devices.map((d) => d.user));
    await w.settled();
    assert.equal(shownOnce(w, devices), 0);
  },

  async 'dropped connections'(w) {
    for (const provider of PROVIDERS) {
      const fake = w.fakeOf(provider);
      const devices = await owners(w, provider, 100);
      fake.latency = 100;
      // it was shown, and the connection ended before that could be said
      for (const d of devices.slice(0, 3)) fake.script(d.token, { drop: true, shown: true });
      await w.notify(devices.map((d) => d.user));
      await w.settled();
      shownOnce(w, devices);
      assert.ok(devices.slice(0, 3).some((d) => w.shown(d).length === 2), 'none was shown again');
    }
  },

  async 'streams that are reset'(w) {
    for (const provider of PROVIDERS) {
      const fake = w.fakeOf(provider);
      const devices = await owners(w, provider, 60);
      const codes = ['REFUSED_STREAM', 'INTERNAL_ERROR', 'CANCEL', 'ENHANCE_YOUR_CALM'];
      for (const [i, d] of devices.entries()) if (i % 6 === 0) fake.script(d.token, { reset: codes[(i / 6) % 4] });
      await w.notify(devices.map((d) => d.user));
      await w.settled();
      assert.equal(shownOnce(w, devices), 0);
      for (const [i, d] of devices.entries()) assert.equal(w.sent(d).length, i % 6 === 0 ? 2 : 1);
    }
  },

  async 'a refused stream is no failure'(w) {
    const device = await w.owner();
    const failures = async () => await w.daemon.metric('failed_total') + await w.daemon.metric('retries_total');
    const before = await failures();
    w.fcm.script(device.token, { reset: 'REFUSED_STREAM' });
    await w.notify([device.user]);
    await w.settled();
    assert.deepEqual([w.sent(device).length, w.shown(device).length], [2, 1]);
    assert.equal(await failures(), before);
  },

  async 'a provider that never answers some holds up nobody else'(w) {
    const all = await Promise.all(PROVIDERS.map((provider) => owners(w, provider, 40)));
    for (const [i, devices] of all.entries())
      for (const d of devices.slice(0, 5)) w.fakeOf(PROVIDERS[i]).script(d.token, { stall: true });
    await w.notify(all.flat().map((d) => d.user));
    const given = await eventually(() => all.every((devices) => devices.slice(5).every((d) => w.shown(d).length === 1)) && Date.now(), 'the others');
    await w.settled();
    for (const devices of all) {
      assert.equal(shownOnce(w, devices), 0);
      for (const d of devices.slice(0, 5)) {
        const [, second, ...more] = w.sent(d);
        assert.deepEqual(more, []);
        assert.ok(second.at > given, 'the others had to wait for it');
      }
    }
  },

  async 'a slow provider is only slow'(w) {
    const devices = await owners(w, 'apns', 300);
    w.apns.latency = 500;
    await w.notify(devices.map((d) => d.user));
    await w.settled();
    assert.equal(w.apns.requests.length, 300);
    assert.equal(shownOnce(w, devices), 0);
    assert.ok(w.apns.mostAtOnce > 50, `${w.apns.mostAtOnce} at once`);
    // Node keeps those that it sent a GOAWAY to
    const open = w.apns.open.filter((c) => c.last === Infinity);
    assert.ok(open.length <= 2, `${open.length} connections`);
  },

  async 'nobody is there for a while'(w) {
    const devices = await owners(w, 'fcm', 50);
    const { port } = w.fcm;
    await w.fcm.close();
    await w.notify(devices.map((d) => d.user));
    await eventually(async () => await w.daemon.metric('failed_total', { provider: 'fcm', reason: 'not_connected' }) > 0, 'a failure');
    await w.fcm.listen(port);
    await w.settled(60000);
    assert.equal(shownOnce(w, devices), 0);
    assert.equal(w.fcm.requests.length, 50);
  },

  async 'a provider that allows no requests for a while loses none'(w) {
    for (const provider of PROVIDERS) {
      const fake = w.fakeOf(provider);
      const before = fake.firstLimit;
      const devices = await owners(w, provider, 30);
      const opened = await w.daemon.metric('breaker_open_total', { provider });
      const since = w.daemon.mark();
      fake.setFirstLimit(0);
      fake.dropAll();
      await w.notify(devices.map((d) => d.user));
      await eventually(async () => await w.daemon.metric('breaker_open_total', { provider }) > opened, 'the breaker', 30000);
      assert.equal(fake.requests.length, 0);
      fake.setFirstLimit(before);
      await w.settled(60000);
      assert.equal(shownOnce(w, devices), 0);
      assert.equal(fake.requests.length, 30);
      const lines = (pattern) => since().split('\n').filter((line) => pattern.test(line)).length;
      assert.ok(lines(/allows no requests/) >= 1);
      assert.ok(lines(/allows no requests/) <= 1 + lines(/cannot connect/), since().slice(0, 1000));
    }
  },

  async 'quota: all wait as long as they are asked to, then all is sent'(w) {
    const devices = await owners(w, 'fcm', 100);
    w.fcm.latency = 50;
    w.fcm.always('*', fcmError('QUOTA_EXCEEDED', { retryAfter: 8 }));
    await w.notify(devices.map((d) => d.user));
    await eventually(() => w.fcm.requests.some((r) => r.answeredAt), 'the first refusal');
    w.fcm.always('*', undefined);
    const [{ answeredAt }] = w.fcm.requests.filter((r) => r.answeredAt);
    await w.settled();
    assert.equal(shownOnce(w, devices), 0);
    // those in flight then were sent before it was known, though they may be read later
    for (const r of w.fcm.shown) assert.ok(r.at < answeredAt + 5000 || r.at >= answeredAt + 8000, `${r.at - answeredAt} ms`);
    assert.ok(w.fcm.shown.some((r) => r.at >= answeredAt + 8000), 'none had to wait');
  },

  async 'APNs allows one stream until it knows who we are'(w) {
    const devices = await owners(w, 'apns', 200);
    w.apns.dropAll();
    const made = w.apns.connections;
    w.apns.latency = 20;
    await w.notify(devices.map((d) => d.user));
    await w.settled();
    assert.equal(shownOnce(w, devices), 0);
    assert.ok(w.apns.connections - made <= 2, `${w.apns.connections - made} connections`);
    // w.providers.violations has those that were too many at once
  },

  async 'APNs ends with a reason in its GOAWAY, and a new connection is made'(w) {
    const [one, two] = await owners(w, 'apns', 2);
    await w.notify([one.user]);
    await w.settled();
    const made = w.apns.connections;
    w.apns.script(two.token, { ...apnsError('Shutdown'), goaway: { share: 1, reason: 'Shutdown' } });
    await w.notify([two.user]);
    await w.settled();
    assert.equal(w.shown(two).length, 1);
    assert.ok(w.apns.connections > made);
  },
});
