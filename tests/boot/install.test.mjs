// The packages installed and configured, as the README says.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configure, cursor, DATABASE, DRY_RUN, edit, journal, mainPid, MARK, ready, refused, SECRET, sh, show, status, write } from './machine.mjs';

const UNITS = ['pairwire.service', 'pairwire-pushd.service', 'pairwire.socket'];
const limited = { timeout: 600000 };

test('apt installs the packages; nothing is enabled, nothing runs', limited, async () => {
  await sh('cd /packages/one; apt-get -y install ./pairwire_*.deb ./pairwire-pushd_*.deb ./pairwire-tools_*.deb');
  for (const unit of UNITS) {
    assert.equal((await refused(`systemctl is-enabled ${unit}`)).stdout, 'disabled\n');
    assert.deepEqual(await show(unit, 'ActiveState', 'LoadState'), { ActiveState: 'inactive', LoadState: 'loaded' });
  }
  assert.match(await sh('getent passwd pairwire'), /^pairwire:x:\d+:\d+:Pairwire:\/nonexistent:\/usr\/sbin\/nologin$/m);
  assert.equal(await sh('stat -c "%a %U %G" /etc/pairwire /etc/pairwire/pairwire.conf'), '750 root pairwire\n640 root pairwire\n');
});

test('not configured, both fail once, and say why', limited, async () => {
  for (const unit of ['pairwire', 'pairwire-pushd']) {
    await refused(`systemctl start ${unit}`);
    assert.deepEqual(await show(unit, 'ActiveState', 'ExecMainStatus', 'NRestarts'), { ActiveState: 'failed', ExecMainStatus: '78', NRestarts: '0' });
    const { code, stdout } = await refused(`systemctl status ${unit}`);
    assert.equal(code, 3);
    assert.match(stdout, /pairwire\.conf:\d+: \w+: is not set; give /);
    const [why] = (await journal(`-u ${unit}`)).filter((e) => /is not set/.test(e.MESSAGE));
    assert.equal(why.PRIORITY, '3');
  }
});

test('configured, they start, and will at boot', limited, async () => {
  await sh(`su postgres -c "psql -qc \\"CREATE ROLE pairwire LOGIN PASSWORD 'secret'\\"; createdb -O pairwire app"`);
  await configure({ jwt_secret: SECRET, database_url: DATABASE });
  assert.match(await sh(`pairwire-migrate ${DATABASE}`), /applied/);
  // it has no credentials of a provider
  await edit('pairwire-pushd.service', DRY_RUN);
  await sh('systemctl enable --now pairwire pairwire-pushd');
  await ready();
  assert.deepEqual(await show('pairwire', 'ActiveState', 'SubState', 'NotifyAccess'), { ActiveState: 'active', SubState: 'running', NotifyAccess: 'main' });
  assert.match(await sh('systemctl status pairwire'), /Status: "(\d+) of \1 workers, 0 connections, 0 users"/);
  assert.equal((await show('pairwire-pushd', 'ActiveState')).ActiveState, 'active');
});

test('who may look, who may change', limited, async () => {
  await sh('useradd -m stranger; useradd -m -G pairwire member');
  assert.equal(await sh('stat -c "%a %U %G" /run/pairwire /run/pairwire/control.sock'), '750 pairwire pairwire\n660 pairwire pairwire\n');
  const outsider = await refused('pairwirectl status', { user: 'stranger' });
  assert.match(outsider.stderr, /Permission denied/);
  const { pid } = await status();
  assert.equal(String(pid), await mainPid());
  for (const command of ['status', 'config', 'top -b -n 1']) {
    const text = await sh(`pairwirectl ${command}`, { user: 'member' });
    assert.ok(text.length > 0 && !text.includes(SECRET) && !text.includes(':secret@'), command);
  }
  const uid = (await sh('id -u member')).trim();
  for (const command of ['token u1', 'drain 0', 'reload', 'log debug']) {
    const { code, stderr } = await refused(`pairwirectl ${command}`, { user: 'member' });
    assert.equal(code, 1);
    assert.match(stderr, /needs root or the user that pairwire runs as/);
  }
  assert.equal((await journal('-u pairwire')).find((e) => /token u1: refused/.test(e.MESSAGE)).PW_UID, uid);
  for (const user of [undefined, 'pairwire']) assert.match(await sh('pairwirectl token u1', { user }), /^ey[\w.-]+$/m);
});

test('pairwirectl check has nothing to say but for what this machine forbids', limited, async () => {
  const text = await sh('pairwirectl check || [ $? -eq 1 ]');
  const limit = Number(/open files +\d+ +(\d+)/.exec(await sh('cat /proc/1/limits'))[1]);
  for (const line of text.trim().split('\n')) {
    if (limit < 1048576 && line.includes('descriptor limit')) continue;
    if (/somaxconn|tcp_max_syn_backlog|memory/.test(line)) continue;	// the machine's own
    assert.match(line, /^ok /);
  }
  assert.match(text, /^ok +push queue/m);
  await write(MARK, await cursor());
});
