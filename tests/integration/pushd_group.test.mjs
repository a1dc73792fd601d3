// Two pairwire-pushd share the queue in Redis: each event is one's, and what one
// had when it died is the other's after pushd_lease.
import assert from 'node:assert/strict';
import { pushSuite } from './lib/pushd.mjs';
import { eventually } from './lib/wait.mjs';

const LEASE = 6000;	// longer than a busy machine stands still
const IN_FLIGHT = 20;

const owners = (w, n) => Promise.all(Array.from({ length: n }, (_, i) => w.owner(i % 2 ? 'apns' : 'fcm')));
const users = (devices) => devices.map((d) => d.user);

await pushSuite({ pushd: { pushd_lease: `${LEASE}ms`, push_in_flight: IN_FLIGHT } }, {
  async 'two share the events'(w) {
    await w.start();
    const devices = await owners(w, 200);
    const releases = [w.fcm, w.apns].map((p) => p.hold());
    await w.notify(users(devices));
    for (const d of w.daemons) await eventually(async () => await d.metric('events_total') === IN_FLIGHT, `${d.name} has its share`);
    for (const release of releases) release();
    await w.settled();
    for (const d of devices) assert.equal(w.sent(d).length, 1);
  },

  async 'what one is busy with for longer than its lease stays its own'(w) {
    const devices = await owners(w, 10);
    for (const [i, d] of devices.entries()) w.fakeOf(i % 2 ? 'apns' : 'fcm').script(d.token, { delay: 2 * LEASE });
    await w.notify(users(devices));
    await w.settled();
    for (const d of devices) assert.equal(w.sent(d).length, 1);
  },

  async 'one is killed: the other has what it had, and shows nothing twice but what was on its way'(w) {
    const [killed, other] = w.daemons;
    const devices = await owners(w, 200);
    // one after the other, so that some are on their way when it dies
    for (const [i, d] of devices.entries()) w.fakeOf(i % 2 ? 'apns' : 'fcm').always(d.token, { delay: 20 + 5 * (i % 40) });
    const events = await w.notify(users(devices));
    await eventually(() => devices.filter((d) => w.shown(d).length).length > 60, 'some shown');
    await killed.end('SIGKILL');
    const onTheirWay = devices.filter((d) => w.sent(d).length && !w.shown(d).length);
    const had = await Promise.all(devices.map((d, i) => w.had(events[i], d)));
    await w.settled();
    const twice = devices.filter((d) => w.shown(d).length > 1);
    console.log(`killed with ${onTheirWay.length} of 200 on their way: ${twice.length} shown twice, none missing`);
    for (const d of devices) {
      assert.ok(w.shown(d).length >= 1, 'none is missing');
      assert.equal(new Set(w.sent(d).map((r) => r.collapse)).size, 1);
    }
    assert.ok(had.filter((x) => x).length > 10, 'few were marked');
    assert.deepEqual(twice.filter((d) => had[devices.indexOf(d)]), []);
    assert.ok(twice.length <= IN_FLIGHT, `${twice.length}: more than were in flight`);
    await eventually(async () => await other.metric('in_flight') === 0 && await other.metric('queue_lag') === 0, 'all done');
  },
});
