// A new version of the packages under way; removing and purging them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../integration/lib/wait.mjs';
import { Fleet } from '../operations/lib/fleet.mjs';
import { Knocker } from '../operations/lib/knocker.mjs';
import { cluster, configure, cursor, edit, journal, mainPid, ready, refused, sh, show, status } from './machine.mjs';

const limited = { timeout: 600000 };
const NAMES = 'pairwire pairwire-pushd pairwire-tools';
// What apt says.
const install = (version, options = '') => sh(`cd /packages/${version}; apt-get -y ${options} install ./pairwire_*.deb ./pairwire-pushd_*.deb ./pairwire-tools_*.deb 2>&1`);

test('a new version comes in while clients chat: no connection is lost before its worker drains', limited, async (t) => {
  const c = cluster();
  t.after(() => c.end());
  await configure({ drain_timeout: '10s', drain_spread: '5s' });
  await sh('systemctl reload pairwire');
  const before = await ready();
  const [pid, pushd] = [await mainPid(), await mainPid('pairwire-pushd')];
  const fleet = await Fleet.join(c, 20, 1000);
  t.after(() => fleet.close());
  const knocker = new Knocker(3001, 50);
  t.after(() => knocker.stop());
  fleet.chat();
  await fleet.flows(40);
  assert.deepEqual(fleet.unasked(), []);
  const since = await cursor();
  const text = await install('two');
  assert.ok(!/goes on; when the reason above/.test(text), text);
  const s = await ready();
  assert.equal(s.upgrade.state, 'done');
  assert.equal(await mainPid(), pid, 'the same process');
  assert.doesNotMatch(await sh(`readlink /proc/${pid}/exe`), /deleted/);
  const old = before.slots.map((w) => w.instance);
  assert.ok(s.slots.every((w) => !old.includes(w.instance)), 'new workers');
  for (const w of s.slots) assert.doesNotMatch(await sh(`readlink /proc/${w.pid}/exe`), /deleted/);
  assert.notEqual(await mainPid('pairwire-pushd'), pushd, 'pushd is started anew');
  assert.equal((await show('pairwire-pushd', 'ActiveState')).ActiveState, 'active');
  // they went when their workers' time had come
  const drains = (await journal('-u pairwire', since)).filter((e) => /^worker replaced: /.test(e.MESSAGE));
  assert.equal(drains.length, old.length);
  for (const e of drains) fleet.release([Number(e.PW_DRAINS)], Number(e.__REALTIME_TIMESTAMP) / 1000 + 10000);
  await eventually(async () => (await status()).draining.length === 0, 'the old workers are gone', 120000);
  await fleet.all();
  await fleet.flows(40);
  await knocker.stop();
  assert.deepEqual(fleet.unasked(), [], 'connections lost');
  assert.deepEqual(fleet.refused, [], 'connects refused');
  assert.deepEqual(knocker.failures, [], 'requests without an answer');
  assert.equal((await show('pairwire', 'NRestarts')).NRestarts, '0');
});

test('with a mistake in the configuration the old version goes on, and apt is content', limited, async () => {
  const [pid, pushd] = [await mainPid(), await mainPid('pairwire-pushd')];
  await configure({ drain_timeout: 'soon' });
  const text = await install('one', '--allow-downgrades');
  assert.match(text, /drain_timeout: "soon" is not a duration[^]*the old version goes on; when the reason above is gone: pairwirectl upgrade/);
  assert.deepEqual(await show('pairwire', 'ActiveState', 'MainPID'), { ActiveState: 'active', MainPID: pid });
  assert.match(text, /drain_timeout: "soon" is not a duration[^]*the old version goes on; when the reason above is gone: systemctl restart pairwire-pushd/);
  assert.deepEqual(await show('pairwire-pushd', 'ActiveState', 'MainPID'), { ActiveState: 'active', MainPID: pushd });
  assert.match(await sh(`readlink /proc/${pid}/exe`), /deleted/);
  await configure({ drain_timeout: '10s' });
  await sh('pairwirectl upgrade; systemctl restart pairwire-pushd');
  await ready();
  assert.equal(await mainPid(), pid);
  assert.doesNotMatch(await sh(`readlink /proc/${pid}/exe`), /deleted/);
});

test('removed, they stop, and the configuration stays; back, they serve again', limited, async () => {
  await sh(`apt-get -y remove ${NAMES}`);
  for (const unit of ['pairwire', 'pairwire-pushd']) {
    assert.deepEqual(await show(unit, 'ActiveState', 'LoadState'), { ActiveState: 'inactive', LoadState: 'not-found' });
  }
  assert.equal(await sh('pgrep -u pairwire || true; ls /run/pairwire 2>/dev/null || true'), '');
  assert.equal(await sh('stat -c "%a %U %G" /etc/pairwire/pairwire.conf'), '640 root pairwire\n');
  await install('two');
  await ready();
  assert.equal((await show('pairwire-pushd', 'ActiveState')).ActiveState, 'active');
});

test('purged, nothing of them is left; back, they wait to be configured', limited, async () => {
  await edit('pairwire-pushd.service');
  await sh(`apt-get -y purge ${NAMES}`);
  assert.equal(await sh(`find /usr /etc /var/lib/systemd -name '*pairwire*' ! -path '/etc/pairwire*' ! -path '/etc/systemd/system/*.d'`), '');
  await refused('stat /etc/pairwire/pairwire.conf');
  await install('two');
  for (const unit of ['pairwire', 'pairwire-pushd']) {
    assert.equal((await refused(`systemctl is-enabled ${unit}`)).stdout, 'disabled\n');
    assert.equal((await show(unit, 'ActiveState')).ActiveState, 'inactive');
  }
});
