// pairwire-pushd as a service: what it tells systemd and monitoring, how it
// starts, reads its files again, and stops.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { build } from './lib/cluster.mjs';
import { sum } from './lib/prometheus.mjs';
import { DEAD_LETTER, PushWorld, STREAM } from './lib/pushd.mjs';
import { Relay } from './lib/relay.mjs';
import { Systemd } from './lib/systemd.mjs';
import { eventually, withDeadline } from './lib/wait.mjs';

const run = promisify(execFile);
const program = join(build, 'pushd/pairwire-pushd');
const top = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const [redisHost, redisPort] = [process.env.PW_TEST_REDIS_HOST, process.env.PW_TEST_REDIS_PORT];

// One world for all; each test has a pushd of its own.
const world = await PushWorld.start({}, { daemon: false });
const systemd = await Systemd.start();

function service(name, fn) {
  test(name, { timeout: 120000 }, async (t) => {
    await world.tidy();
    await world.redis.flushDb();
    await fn(t);
  });
}

// Of a failing test, too.
async function withPushd(conf, fn) {
  const d = await world.start(conf);
  try {
    await fn(d);
  } finally {
    if (!d.exit) await d.end('SIGKILL');
  }
}

async function stopsWell(d, ms = 60000) {
  assert.deepEqual(await withDeadline(d.ended, ms, 'it ends'), { code: 0, signal: null });
}

// Its event is with the provider, which says nothing.
async function stalled(device) {
  world.fcm.always(device.token, { stall: true });
  const [event] = await world.notify([device.user]);
  await eventually(() => world.sent(device).length === 1, 'a request');
  return event;
}

service('systemd hears that it runs, how it fares, and that it stops', async () => {
  const said = systemd.mark();
  await systemd.with(300, () => withPushd({}, async (d) => {
    await systemd.hears(/^READY=1$/);
    await systemd.hears(/^WATCHDOG=1$/, 5);
    await systemd.hears(/^STATUS=0 sent, 0 failed, 0 in flight, lag (0|-1)/);
    d.signal('SIGHUP');
    await d.logged(/read again/);
    d.signal('SIGTERM');
    await stopsWell(d);
    await systemd.hears(/^STOPPING=1$/);
    assert.deepEqual(said(), ['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1']);
  }));
});

service('it is ready without any backend, and says what is missing', async () => {
  const nobody = { directory: { database_url: 'postgresql://nobody@127.0.0.1:1/nothing' }, redis: { redis_port: 1 }, store: { store_url: 'postgresql://nobody@127.0.0.1:1/nothing' } };
  await systemd.with(300, async () => {
    const before = systemd.count(/^READY=1$/);
    const conf = { ...nobody, pushd: { pushd_listen: '127.0.0.1:0', pushd_name: 'alone' } };
    const d = spawnPushd(conf);
    try {
      await systemd.hears(/^READY=1$/, before + 1);
      const address = await d.said(/metrics and health: (http:\S+)/);
      const response = await fetch(`${address}/readyz`);
      assert.equal(response.status, 503);
      assert.deepEqual((await response.text()).trim().split('\n').sort(),
        ['postgres', 'queue', 'redis', 'store'].map((b) => `backend=${b} state=down`));
      assert.equal((await fetch(`${address}/healthz`)).status, 200);
      assert.equal((await fetch(`${address}/nothing`)).status, 404);
      assert.equal((await fetch(`${address}/metrics`, { method: 'POST' })).status, 405);
      d.process.kill('SIGTERM');
      assert.equal((await withDeadline(d.ended, 60000, 'it ends'))[0], 0);
    } finally {
      d.process.kill('SIGKILL');
    }
  });
});

service('/readyz follows Redis, /healthz does not', async (t) => {
  const relay = await Relay.to(redisHost, redisPort);
  t.after(() => relay.close());
  await withPushd({ redis: { redis_host: '127.0.0.1', redis_port: relay.port } }, async (d) => {
    const ready = async () => (await fetch(`${d.url}/readyz`)).status;
    assert.equal(await ready(), 200);
    relay.cut();
    await eventually(async (note) => {
      const response = await fetch(`${d.url}/readyz`);
      const lines = (await response.text()).trim().split('\n').sort();
      note(lines);
      return response.status === 503 && lines.join() === 'backend=queue state=down,backend=redis state=down';
    }, 'both of them down');
    assert.equal((await fetch(`${d.url}/healthz`)).status, 200);
    relay.mend();
    await eventually(async () => await ready() === 200, 'ready again');
    // what was queued while it was away comes
    const device = await world.owner();
    await world.notify([device.user]);
    await world.wasShown(device);
  });
});

service('/metrics counts what happens', async () => {
  await withPushd({}, async (d) => {
    const [good, dead] = [await world.owner('fcm'), await world.owner('apns')];
    world.apns.always(dead.token, { status: 410, reason: 'Unregistered', timestamp: Date.now() });
    await world.notify([good.user, dead.user]);
    await world.settled();
    await eventually(async () => await d.metric('events_done_total') === 2, 'it knows so');
    const families = await d.metrics();
    const one = (name, labels) => families.get(`pairwire_pushd_${name}`).samples
      .find((s) => Object.entries(labels).every(([k, v]) => s.labels[k] === v)).value;
    assert.equal(one('sent_total', { provider: 'fcm' }), 1);
    assert.equal(one('sent_total', { provider: 'apns' }), 0);
    assert.equal(one('failed_total', { provider: 'apns', reason: 'Unregistered' }), 1);
    assert.equal(sum(families, 'pairwire_pushd_events_total'), 2);
    assert.equal(sum(families, 'pairwire_pushd_events_done_total'), 2);
    assert.equal(sum(families, 'pairwire_pushd_in_flight'), 0);
    assert.equal(sum(families, 'pairwire_pushd_queue_up'), 1);
    assert.equal(families.get('pairwire_pushd_latency_seconds').samples.filter((s) => s.name.endsWith('_count')).reduce((n, s) => n + s.value, 0), 2);
    assert.ok(sum(families, 'process_resident_memory_bytes') > 2e6);
    const started = sum(families, 'process_start_time_seconds') * 1000;
    assert.ok(started <= Date.now() && started > Date.now() - 120000);
  });
});

service('a stop lets what is in flight finish', async () => {
  await withPushd({}, async (d) => {
    const device = await world.owner();
    const release = world.fcm.hold();
    await world.notify([device.user]);
    await eventually(() => world.sent(device).length === 1, 'a request');
    d.signal('SIGTERM');
    await d.logged(/stopping in_flight=1/);
    const late = await world.owner();
    await world.notify([late.user]);
    release();
    await stopsWell(d);
    assert.equal(world.shown(device).length, 1);
    assert.equal(world.sent(late).length, 0, 'takes no more events');
    assert.equal(await world.waiting(), 1, 'the one is acknowledged, the other waits');
  });
});

service('a stop takes no longer than stop_timeout, and nothing is lost', async () => {
  const device = await world.owner();
  await withPushd({ server: { stop_timeout: '500ms' } }, async (d) => {
    await stalled(device);
    d.signal('SIGTERM');
    await stopsWell(d, 20000);	// sooner than push_timeout
    assert.match(d.log, /without the outcome of 1 events: they will be repeated/);
    assert.equal(await world.waiting(), 1);
  });
  world.fcm.always(device.token);
  // the same name again: what it had comes first
  await withPushd({ pushd: { pushd_name: world.daemons.at(-1).name } }, async () => {
    await world.wasShown(device);
    await world.settled();
  });
});

service('a second signal stops it at once', async () => {
  await withPushd({ server: { stop_timeout: '2m' }, pushd: { push_timeout: '2m' } }, async (d) => {
    await stalled(await world.owner());
    d.signal('SIGTERM');
    await d.logged(/stopping in_flight=1/);
    d.signal('SIGINT');
    await stopsWell(d);
    assert.match(d.log, /stopping now/);
  });
});

service('a reload takes other texts; a bad one changes nothing and says why', async () => {
  const file = join(world.dir, 'texts.ini');
  const texts = (body) => writeFileSync(file, `[new_message]\ntitle = {senderName}\nbody = ${body}\n`);
  const bodyOf = async () => {
    const device = await world.owner();
    await world.notify([device.user], { senderName: 'Ann' });
    const [r] = await world.wasShown(device);
    return r.body.message.notification.body;
  };
  texts('one');
  await withPushd({ pushd: { push_templates: file } }, async (d) => {
    assert.equal(await bodyOf(), 'one');
    texts('two');
    await d.reload();
    assert.equal(await bodyOf(), 'two');
    writeFileSync(file, '[new_message]\ntitle\n');
    assert.match(await d.reload(), /error +pushd: reload refused, nothing has changed: \S*texts\.ini:2: /);
    assert.equal(await bodyOf(), 'two');
    texts('three');
    assert.match(await d.reload({ pushd: { fcm_credentials: '/nowhere/fcm.json' } }), /reload refused.*\/nowhere\/fcm\.json: No such file/);
    assert.equal(await bodyOf(), 'two');
    assert.match(await d.reload({ pushd: { fcm_credentials: world.providers.project.file, push_in_flight: 500 } }), /only a restart takes it: push_in_flight\n/);
    assert.equal(await bodyOf(), 'three');
    assert.equal(await d.metric('reloads_total'), 2);
    assert.equal(await d.metric('reloads_failed_total'), 2);
  });
});

service('what is in the dead letter can be put back', async () => {
  await withPushd({}, async (d) => {
    const [one, other] = [await world.owner('apns'), await world.owner('apns')];
    world.apns.always(one.token, { status: 400, reason: 'BadTopic' });
    world.apns.always(other.token, { status: 413, reason: 'PayloadTooLarge' });
    await world.notify([one.user, other.user]);
    await eventually(async () => (await world.deadLetters()).length === 2, 'two dead letters');
    await d.logged(/notifications go to the dead letter reason="BadTopic"/);
    world.apns.always(one.token);
    world.apns.always(other.token);
    const replay = async (...args) => (await run('redis-cli', ['-h', redisHost, '-p', redisPort, '-n', String(world.conf.redis.redis_db),
      '--eval', 'contrib/push-replay.lua', DEAD_LETTER, STREAM, ...args], { cwd: top })).stdout.trim();
    assert.equal(await replay(',', 'BadTopic'), '1');
    await world.wasShown(one);
    assert.equal((await world.deadLetters()).length, 1);
    assert.equal(await replay(), '1');
    await world.wasShown(other);
    assert.equal(await replay(), '0');
    await world.settled();
    assert.equal(world.shown(one).length, 1);
  });
});

service('--dry-run tells what it would send, and sends nothing', async () => {
  const d = spawnPushd({}, ['--dry-run']);
  try {
    const phone = await world.owner('fcm');
    const tablet = await world.device(phone.user, 'apns');
    const [event] = await world.notify([phone.user], { senderName: 'Ann', content: 'Hello' });
    const lines = await eventually(() => d.lines.length === 2 && d.lines.map((line) => JSON.parse(line)), 'two lines');
    for (const line of lines) {
      assert.equal(line.messageId, event.data.messageId);
      assert.equal(line.title, 'Ann');
      assert.equal(line.body, 'Hello');
      assert.ok(!JSON.stringify(line).includes(line.provider === 'fcm' ? phone.token : tablet.token));
    }
    assert.deepEqual(lines.map((l) => [l.provider, l.device]).sort(), [['apns', tablet.id], ['fcm', phone.id]]);
    await world.settled();
    assert.equal(world.sent(phone).length + world.sent(tablet).length, 0);
  } finally {
    d.process.kill('SIGTERM');
    await d.ended;
  }
});

service('-t checks everything and says where it is wrong', async () => {
  const file = join(world.dir, 'checked.conf');
  const ini = (conf) => Object.entries(conf).map(([section, keys]) =>
    `[${section}]\n${Object.entries(keys).map(([k, v]) => `${k} = ${v}\n`).join('')}`).join('');
  const good = { directory: { database_url: world.databaseUrl }, pushd: world.providers.conf() };
  const check = async (conf, ...args) => {
    writeFileSync(file, ini(conf));
    return run(program, ['-t', '-c', file, ...args]).then(({ stdout }) => ({ code: 0, text: stdout }), (err) => ({ code: err.code, text: err.stderr }));
  };
  assert.deepEqual(await check(good), { code: 0, text: `${file}: ok\n` });
  // the examples, with files that are there
  const exampleApps = join(world.dir, 'example.ini');
  writeFileSync(exampleApps, readFileSync(join(top, 'contrib/pairwire-push.ini.example'), 'utf8')
    .replaceAll(/\/etc\/pairwire\/\S+json/g, world.providers.project.file).replaceAll(/\/etc\/pairwire\/\S+p8/g, world.providers.key.file));
  const examples = { push_apps: exampleApps, push_templates: join(top, 'contrib/pairwire-templates.ini.example') };
  assert.deepEqual(await check({ ...good, pushd: examples }), { code: 0, text: `${file}: ok\n` });
  assert.equal((await check({ ...good, push: { push_queue_url: 'kafka://127.0.0.1:1?security.protocol=ssl' } })).code, 0, 'asks nobody');
  const texts = join(world.dir, 'bad.ini');
  writeFileSync(texts, '[new_message]\ntitel = x\n');
  const apps = join(world.dir, 'apps.ini');
  writeFileSync(apps, '[com.example]\napns_key = /nowhere.p8\napns_key_id = ABC1234567\napns_team_id = TEAM123456\napns_topic = com.example\n');
  for (const [keys, pattern, push_queue_url] of [
    [{ fcm_url: 'http://plain' }, /checked\.conf:\d+: fcm_url: must begin with https:\/\//],
    [{ apns_environment: 'staging' }, /apns_environment: must be production or sandbox/],
    [{ push_templates: '/nowhere/texts.ini' }, /\/nowhere\/texts\.ini: No such file/],
    [{ push_templates: texts }, /bad\.ini:2: .*titel/],
    [{ push_apps: apps }, /nowhere\.p8.*No such file/],
    [{ fcm_credentials: world.providers.key.file }, /AuthKey_ABC1234567\.p8: /],
    [{ push_ca_file: '/nowhere/ca.pem' }, /\/nowhere\/ca\.pem/],
    [{}, /^push_queue_url: .*property 2/m, 'kafka://127.0.0.1:1?client.id=x&linger.ms=soon'],
    [{}, /^push_queue_url: .*ssl\.ca\.location/m, 'kafka://127.0.0.1:1?security.protocol=ssl&ssl.ca.location=/nowhere'],
  ].map((row) => [...row, ''])) {
    const { code, text } = await check({ ...good, pushd: { ...good.pushd, ...keys }, push: { push_queue_url } });
    assert.equal(code, 1, JSON.stringify(keys));
    assert.match(text, pattern);
    for (const secret of world.providers.secrets) assert.ok(!text.includes(secret), 'a secret');
  }
  const bare = { directory: good.directory };
  assert.equal((await check(bare)).code, 1, 'credentials are needed');
  assert.equal((await check(bare, '--dry-run')).code, 0, 'not to tell');
});

service('it does not start twice on one address', async () => {
  await withPushd({}, async (d) => {
    const second = spawnPushd({ pushd: { pushd_listen: new URL(d.url).host, pushd_name: 'second' } });
    assert.equal((await withDeadline(second.ended, 30000, 'it ends'))[0], 1);
    assert.match(second.log, /error +pushd: pushd_listen: cannot listen on .*another program listens there/);
  });
});

// Without waiting for anything; conf over the world's.
function spawnPushd(conf, args = []) {
  const file = join(world.dir, `spawned-${spawnPushd.n = (spawnPushd.n ?? 0) + 1}.conf`);
  const all = { ...world.conf };
  for (const [section, keys] of Object.entries({ pushd: { pushd_listen: '127.0.0.1:0' } })) all[section] = { ...all[section], ...keys };
  for (const [section, keys] of Object.entries(conf)) all[section] = { ...all[section], ...keys };
  writeFileSync(file, Object.entries(all).map(([section, keys]) =>
    `[${section}]\n${Object.entries(keys).map(([k, v]) => `${k} = ${v}\n`).join('')}`).join(''));
  const d = { lines: [], log: '', process: spawn(program, ['-c', file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }) };
  process.on('exit', () => d.process.kill('SIGKILL'));
  d.process.stderr.on('data', (text) => { d.log += text; });
  createInterface({ input: d.process.stdout }).on('line', (line) => d.lines.push(line));
  d.ended = once(d.process, 'close');
  d.said = async (pattern) => (await eventually(() => pattern.exec(d.log), `${pattern}`))[1];
  return d;
}

test('nothing is left', async () => {
  systemd.stop();
  assert.deepEqual(world.providers.violations, []);
  await world.cleanUp();
});
