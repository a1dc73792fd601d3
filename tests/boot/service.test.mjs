// The services after a boot: confined, in the journal, watched; with stock clients.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { connect } from '../integration/lib/client.mjs';
import { now, sign } from '../integration/lib/token.mjs';
import { eventually } from '../integration/lib/wait.mjs';
import { cluster, configure, cursor, edit, journal, logged, mainPid, MARK, ready, refused, SECRET, sh, show, status, URL_ } from './machine.mjs';

const limited = { timeout: 600000 };
const c = cluster();
after(() => c.end());

// Two users and their match.
async function pair() {
  const [a, b, match] = [randomUUID(), randomUUID(), randomUUID()];
  await c.pg.query(`INSERT INTO users (id, first_name) VALUES ($1, 'Ann'), ($2, 'Ben')`, [a, b]);
  await c.pg.query('INSERT INTO matches (id, user_a_id, user_b_id) VALUES ($1, $2, $3)', [match, a, b]);
  return { a, b, match };
}
const join = (user, options = {}) => connect(URL_, user, { auth: { token: sign({ userId: user, exp: now() + 3600 }, SECRET) }, ...options });

async function conversation() {
  const { a, b, match } = await pair();
  const [from, to] = [await join(a), await join(b, { io: { transports: ['polling', 'websocket'] } })];
  const { messageId } = await from.send(match, 'Hi!', { tempId: randomUUID() });
  await to.got('message:new', (m) => m.id === messageId);
  await from.got('message:delivered', (m) => m.messageId === messageId);
  for (const client of [from, to]) client.close();
  return messageId;
}

const line = (unit, down) => eventually(async (note) => {
  const { StatusText } = await show(unit, 'StatusText');
  note(StatusText);
  return down.test(StatusText);
}, `${down} in the status of ${unit}`);

test('turned off, they stop before their backends; booted, they start after them', limited, async () => {
  await ready();
  const all = await journal('_PID=1', await sh(`cat ${MARK}`));
  const at = (what) => {
    const n = all.findIndex((e) => e.MESSAGE.startsWith(what));
    assert.ok(n >= 0, what);
    return n;
  };
  for (const unit of ['pairwire', 'pairwire-pushd']) {
    for (const backend of ['redis-server', 'postgresql@15-main']) {
      assert.ok(at(`Stopped ${unit}.service`) < at(`Stopping ${backend}.service`), `${backend} is needed until ${unit} has stopped`);
      assert.ok(at(`Started ${backend}.service`) < at(`Starting ${unit}.service`), `${unit} comes after ${backend}`);
    }
    assert.deepEqual(await show(unit, 'NRestarts', 'Result'), { NRestarts: '0', Result: 'success' });
  }
  assert.deepEqual(all.filter((e) => /^pairwire.*(timed out|Failed|Killing)/.test(e.MESSAGE)), []);
});

test('what the units say of privileges holds', limited, async () => {
  const [uid, limit] = [await sh('id -u pairwire'), /open files +\d+ +(\d+)/.exec(await sh('cat /proc/1/limits'))[1]];
  const { slots } = await status();
  for (const [unit, pids] of [['pairwire', [await mainPid(), ...slots.map((s) => s.pid)]], ['pairwire-pushd', [await mainPid('pairwire-pushd')]]]) {
    await sh(`systemd-analyze security --no-pager --threshold=15 ${unit}`);
    for (const pid of pids) {
      const text = await sh(`cat /proc/${pid}/status`);
      const field = (name) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)[1];
      assert.equal(field('Uid').split('\t')[1], uid.trim());
      for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) assert.equal(field(`Cap${set}`), '0'.repeat(16));
      assert.deepEqual([field('NoNewPrivs'), field('Seccomp'), field('Umask')], ['1', '2', '0077']);
      const files = String(Math.min(unit === 'pairwire' ? 1048576 : 65536, Number(limit)));
      assert.match(await sh(`cat /proc/${pid}/limits`), new RegExp(`open files +${files} +${files} `));
      assert.match(await sh(`cat /proc/${pid}/cgroup`), new RegExp(`/system\\.slice/${unit}\\.service$`, 'm'));
      const there = (script) => sh(`nsenter -t ${pid} -m sh -c '${script}'`);
      for (const dir of ['/etc', '/usr', '/var/lib', '/var/log', '/dev/shm/..', '/proc/sys', '/sys']) {
        assert.match((await refused(`nsenter -t ${pid} -m touch ${dir}/pw`)).stderr, /Read-only file system|Permission denied|No such file/, dir);
      }
      assert.equal(await there('ls -A /home /root /tmp'), '/home:\n\n/root:\n\n/tmp:\n');
      assert.equal(await there('ls /dev/tty /dev/null 2>/dev/null; true'), '/dev/null\n/dev/tty\n');
    }
  }
});

test('stock clients chat; the flight recorder, the push queue and pushd have part in it', limited, async () => {
  const id = await conversation();
  const told = await sh(`pairwirectl explain ${id}`);
  for (const word of [/accepted/, /stored/, /confirmed/]) assert.match(told, word);
  const { a, b, match } = await pair();
  await c.pg.query(`INSERT INTO devices (id, user_id, push_token, platform, provider) VALUES ($1, $2, 'token', 'android', 'fcm')`, [randomUUID(), b]);
  const since = await cursor();
  const from = await join(a);
  const { messageId } = await from.send(match, 'Where are you?');
  await logged(since, new RegExp(`"messageId":"${messageId}"`), '-u pairwire-pushd');
  from.close();
});

test('log lines are entries of the journal, with their fields', limited, async () => {
  const { slots: [{ instance, pid }] } = await status();
  const [serving] = await journal(`-u pairwire PW_WORKER=${instance} | grep '"serving '`);
  assert.deepEqual(serving, { ...serving, PRIORITY: '6', SYSLOG_IDENTIFIER: 'pairwire-worker', PW_PROCESS: `worker[${instance}]`, PW_SLOT: '0',
    _PID: String(pid), _SYSTEMD_UNIT: 'pairwire.service' });
  const { a } = await pair();
  const client = await join(a);
  await sh(`pairwirectl disconnect ${a}`);
  await client.ended();
  const [gone] = await eventually(async () => { const all = await journal(`PW_USER=${a}`); return all.length > 0 && all; }, 'journalctl PW_USER=');
  assert.match(gone.MESSAGE, /^disconnected by the operator user=/);
});

test('the log says more, and less again', limited, async () => {
  const debugs = async () => {
    const since = await cursor();
    await conversation();
    return (await journal('-u pairwire PRIORITY=7', since)).length > 0;
  };
  await sh('pairwirectl log debug');
  await eventually(debugs, 'debug lines', 90000);
  await sh('systemctl reload pairwire');
  await eventually(async () => !await debugs(), 'none any more', 90000);
});

test('systemctl reload takes what is right, and says what is not', limited, async () => {
  const pid = await mainPid();
  await configure({ drain_spread: '3s', drain_timeout: '2s' });
  await sh('systemctl reload pairwire');
  assert.match(await sh('pairwirectl config'), /^drain_spread = 3s$/m);
  await configure({ drain_spread: 'soon' });
  await refused('systemctl reload pairwire');
  assert.match((await refused('systemctl status pairwire | grep drain_spread; false')).stdout, /drain_spread: "soon" is not a duration/);
  await configure({ drain_spread: '3s' });
  await sh('systemctl reload pairwire pairwire-pushd');
  assert.deepEqual([await mainPid(), (await show('pairwire', 'ActiveState')).ActiveState], [pid, 'active']);
});

test('workers drain, are restarted and upgraded under all that', limited, async () => {
  const pid = await mainPid();
  const before = (await status()).slots.map((s) => s.instance);
  await sh('pairwirectl drain 0; pairwirectl restart 1');
  await conversation();
  await sh('pairwirectl upgrade');
  const s = await ready();
  assert.equal(s.upgrade.state, 'done');
  assert.ok(s.slots.every((slot) => !before.includes(slot.instance)));
  assert.equal(await mainPid(), pid);
  await conversation();
  assert.deepEqual(await show('pairwire', 'ActiveState', 'NRestarts'), { ActiveState: 'active', NRestarts: '0' });
});

test('a stuck worker is replaced', limited, async () => {
  const { slots: [{ pid }] } = await ready();
  await sh(`kill -STOP ${pid}`);
  await eventually(async (note) => {
    const s = await status();
    note(s.slots);
    return s.state === 'ready' && s.slots[0].pid !== pid;
  }, 'another worker', 90000);
  assert.equal((await show('pairwire', 'NRestarts')).NRestarts, '0');
});

test('the watchdog starts a stuck master again, and one whose workers are all stuck', limited, async () => {
  await configure({ stuck_timeout: '10m' });
  await sh('systemctl reload pairwire');
  for (const [n, pids] of [['1', async () => [await mainPid()]], ['2', async () => (await status()).slots.map((s) => s.pid)]]) {
    const since = await cursor();
    const pid = await mainPid();
    await sh(`kill -STOP ${(await pids()).join(' ')}`);
    await logged(since, /^pairwire\.service: Watchdog timeout/);
    await logged(since, /^pairwire\.service: Main process exited, code=(killed|dumped), status=6\/ABRT$/);
    await eventually(async () => !['0', pid].includes(await mainPid()), 'another master', 90000);
    await ready();
    assert.equal((await show('pairwire', 'NRestarts')).NRestarts, n);
  }
  await configure({ stuck_timeout: '5s' });
  await sh('systemctl reload pairwire');
  await conversation();
});

test('a stop takes as long as stop_timeout says, not as TimeoutStopSec', limited, async () => {
  await configure({ stop_timeout: '20s' });
  await edit('pairwire.service', ['[Service]', 'TimeoutStopSec=8']);
  await sh('systemctl reload pairwire');
  const { slots: [{ pid }] } = await ready();
  const since = await cursor();
  await sh(`kill -STOP ${pid}; systemctl stop pairwire`);
  assert.deepEqual(await show('pairwire', 'ActiveState', 'Result'), { ActiveState: 'inactive', Result: 'success' });
  assert.deepEqual((await journal('-u pairwire', since)).filter((e) => /timed out|by systemd/.test(e.MESSAGE)), []);
  await configure({ stop_timeout: '10s' });
  await edit('pairwire.service');
  await sh('systemctl start pairwire');
  await ready();
});

test('a backend that is off: they start, say so, and go on when it is back', limited, async () => {
  await sh('systemctl stop redis-server');
  await line('pairwire', /down: .*redis/);
  await sh('systemctl restart pairwire pairwire-pushd');
  await line('pairwire', /^(\d+) of \1 workers, .*down: .*redis/);
  assert.match(await sh('pairwirectl status'), /^ +redis +down/m);
  assert.match((await refused('pairwirectl check')).stdout, /^FIX +redis /m);
  await sh('systemctl start redis-server');
  await line('pairwire', /^(\d+) of \1 workers, 0 connections, 0 users$/);
  await conversation();
  await sh('systemctl is-active pairwire-pushd');
});
