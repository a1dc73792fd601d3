// Tokens are fetched once, renewed in time and again when refused; wrong
// credentials lose nothing, and right ones need no restart.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apnsError } from '../fakes/providers.mjs';
import { pushSuite } from './lib/pushd.mjs';
import { eventually } from './lib/wait.mjs';

const owners = (w, provider, n, columns) => Promise.all(Array.from({ length: n }, () => w.owner(provider, columns)));
const users = (devices) => devices.map((d) => d.user);
const allShown = (w, devices) => { for (const d of devices) assert.equal(w.shown(d).length, 1); };

async function afresh(w) {
  await w.daemon.end();
  w.tidy();
  await w.daemon.start();
}

await pushSuite({ pushd: { push_timeout: '8s' } }, {
  async 'renewed before its end: no request ever carries a token that is over'(w) {
    w.oauth.expiresIn = 4;	// renewed a fifth before
    w.oauth.late = 5000;
    const begin = Date.now();
    const devices = [];
    while (w.oauth.requests.length < 3) {
      assert.ok(Date.now() < begin + 60000, `${w.oauth.requests.length} fetched`);
      const device = await w.owner();
      devices.push(device);
      await w.notify([device.user]);
      await w.wasShown(device);
    }
    await w.settled();
    allShown(w, devices);
    for (const [i, r] of w.oauth.requests.slice(1).entries()) assert.ok(r.at - w.oauth.requests[i].at > 2000, `again after ${r.at - w.oauth.requests[i].at} ms`);
    assert.equal(w.oauth.mostAtOnce, 1);
    assert.ok(w.fcm.requests.every((r) => r.status === 200));
  },

  async 'one fetch for 500 who wait for it'(w) {
    await afresh(w);
    w.oauth.script('*', { delay: 500 });
    const devices = await owners(w, 'fcm', 500);
    await w.notify(users(devices));
    await w.settled();
    allShown(w, devices);
    assert.equal(w.oauth.requests.length, 1);
    assert.equal(w.fcm.requests.length, 500);
  },

  async 'a refused token is renewed once for all whom it failed'(w) {
    const devices = await owners(w, 'fcm', 200);
    w.fcm.latency = 50;
    w.oauth.revokeAll();
    await w.notify(users(devices));
    await w.settled();
    allShown(w, devices);
    assert.equal(w.oauth.requests.length, 1);
    for (const d of devices) assert.ok(w.sent(d).length <= 1);	// refused before the message was looked at
    assert.ok(w.fcm.requests.length <= 400, `${w.fcm.requests.length}`);
  },

  async 'a token end-point that fails or hangs is asked again, patiently'(w) {
    await afresh(w);
    w.oauth.script('*', { status: 500 }, { drop: true }, { stall: true });
    const devices = await owners(w, 'fcm', 50);
    await w.notify(users(devices));
    await w.settled(60000);
    allShown(w, devices);
    assert.ok(w.oauth.requests.length >= 4 && w.oauth.requests.length <= 8, `${w.oauth.requests.length} fetched`);
  },

  async 'invalid_grant: told once, nothing lost, nobody hammered; the right file delivers'(w) {
    await afresh(w);
    w.oauth.always('*', { status: 400, error: 'invalid_grant', description: 'Invalid JWT Signature.' });
    const since = w.daemon.mark();
    const devices = await owners(w, 'fcm', 100);
    const [other] = await owners(w, 'apns', 1);
    await w.notify([...users(devices), other.user]);
    await w.wasShown(other);
    await eventually(async () => await w.daemon.metric('breaker_open_total', { provider: 'fcm' }) >= 1, 'the breaker');
    assert.ok(await w.waiting() >= 100);
    assert.deepEqual(w.fcm.requests, []);
    const asked = w.oauth.requests.length;
    assert.ok(asked <= 3, `${asked} asked`);
    const told = since().split('\n').filter((line) => /error/.test(line) && /fcm/i.test(line));
    assert.ok(told.length >= 1 && told.length <= 2, told.join('\n'));

    const right = w.providers.addProject('right-project');
    w.oauth.always('*', undefined);
    await w.daemon.reload({ pushd: { fcm_credentials: right.file } });
    await w.settled();
    allShown(w, devices);
    assert.ok(w.fcm.requests.every((r) => r.project === 'right-project'));
    assert.deepEqual(await w.deadLetters(), []);
    await w.daemon.reload({ pushd: { fcm_credentials: w.providers.project.file } });
  },

  async 'a wrong file changes nothing'(w) {
    const bad = join(w.dir, 'bad.json');
    const right = w.daemon.conf;
    writeFileSync(bad, '{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----\\nSECRETSECRETSECRETSECRET\\n"}');
    w.providers.secrets.push('SECRETSECRETSECRETSECRET');
    const failed = await w.daemon.metric('reloads_failed_total');
    const said = await w.daemon.reload({ pushd: { fcm_credentials: bad } });
    assert.equal(await w.daemon.metric('reloads_failed_total') - failed, 1);
    assert.match(said, /bad\.json/);
    w.daemon.configure(right);
    const [device] = await owners(w, 'fcm', 1);
    await w.notify([device.user]);
    await w.settled();
    allShown(w, [device]);
  },

  async 'the three FIREBASE variables do as well as a file'(w) {
    const { project, account } = w.providers.addProject('by-environment');
    const conf = w.daemon.conf;
    const env = { FIREBASE_PROJECT_ID: project, FIREBASE_CLIENT_EMAIL: account.client_email, FIREBASE_PRIVATE_KEY: account.private_key.replaceAll('\n', '\\n') };
    await w.daemon.end();
    w.daemon.configure({ ...conf, pushd: { ...conf.pushd, fcm_credentials: '' } });
    Object.assign(process.env, env);
    await w.daemon.start();
    for (const name of Object.keys(env)) delete process.env[name];
    const [device] = await owners(w, 'fcm', 1);
    await w.notify([device.user]);
    await w.settled();
    allShown(w, [device]);
    assert.equal(w.shown(device)[0].project, project);
    await w.daemon.end();
    w.daemon.configure(conf);
    await w.daemon.start();
  },

  async 'a reload without a change keeps connections and tokens'(w) {
    const devices = [...await owners(w, 'fcm', 2), ...await owners(w, 'apns', 2)];
    await w.notify(users(devices.filter((_, i) => i % 2)));
    await w.settled();
    const made = [w.fcm.connections, w.apns.connections, w.oauth.requests.length];
    await w.daemon.reload();
    await w.notify(users(devices.filter((_, i) => i % 2 === 0)));
    await w.settled();
    allShown(w, devices);
    assert.deepEqual([w.fcm.connections, w.apns.connections, w.oauth.requests.length], made);
  },

  async 'ExpiredProviderToken: sent again, and Apple sees no more tokens than it allows'(w) {
    const devices = await owners(w, 'apns', 20);
    w.apns.script(devices[0].token, apnsError('ExpiredProviderToken'));
    w.apns.script(devices[1].token, apnsError('ExpiredProviderToken'), apnsError('ExpiredProviderToken'));
    await w.notify(users(devices));
    await w.settled();
    allShown(w, devices);
    assert.ok(new Set(w.apns.requests.map((r) => r.iat)).size <= 2);
    assert.deepEqual(await w.deadLetters(), []);
  },

  async 'each app has its own credentials'(w) {
    const apps = ['com.example.one', 'com.example.two'].map((name, i) => ({
      name, project: w.providers.addProject(`project-${i}`), key: w.providers.addKey(`KEY000000${i}`, `TEAM00000${i}`, [name]),
    }));
    const file = join(w.dir, 'apps.ini');
    writeFileSync(file, apps.map(({ name, project, key }) => `[${name}]\nfcm_credentials = ${project.file}\napns_key = ${key.file}\n`
      + `apns_key_id = ${key.keyId}\napns_team_id = ${key.team}\napns_topic = ${key.topics[0]}\napns_environment = sandbox\n`).join('\n'));
    await w.daemon.reload({ pushd: { push_apps: file } });
    const rows = [[apps[0].name, apps[0]], [apps[1].name, apps[1]], [null], ['com.example.unknown']];
    for (const [app, own] of rows) {
      const [[f], [a]] = [await owners(w, 'fcm', 1, { app }), await owners(w, 'apns', 1, { app })];
      await w.notify([f.user, a.user]);
      await w.settled();
      allShown(w, [f, a]);
      assert.equal(w.shown(f)[0].project, own?.project.project ?? 'pairwire-test');
      assert.deepEqual([w.shown(a)[0].topic, w.shown(a)[0].keyId], own ? [own.name, own.key.keyId] : [w.providers.key.topics[0], w.providers.key.keyId]);
      assert.equal(w.shown(a)[0].provider, own ? 'apns sandbox' : 'apns');
    }
  },
});
