// What systemd keeps and gives: stored sockets, a socket unit, credentials.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startProviders } from '../fakes/providers.mjs';
import { connect } from '../integration/lib/client.mjs';
import { now, sign } from '../integration/lib/token.mjs';
import { eventually } from '../integration/lib/wait.mjs';
import { cluster, configure, cursor, DATABASE, DRY_RUN, edit, logged, mainPid, ready, refused, SECRET, sh, show, status, URL_, write } from './machine.mjs';

const limited = { timeout: 600000 };
const PORT = 3001;
const c = cluster();
after(() => c.end());

// Connects all the time, and waits for an answer as long as it takes; what came of
// it: { refused, answered }.
function knocking() {
  const seen = { refused: 0, answered: 0 };
  let over = false;
  const knock = () => new Promise((resolve) => {
    const socket = connectTcp(PORT, '127.0.0.1', () => socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'));
    socket.on('data', (text) => { if (String(text).startsWith('HTTP/1.1 200')) seen.answered++; });
    socket.on('error', (err) => { if (err.code === 'ECONNREFUSED') seen.refused++; });
    socket.on('close', resolve);
  });
  const loops = Array.from({ length: 4 }, async () => { while (!over) await knock(); });
  return { seen, end: async () => { over = true; await Promise.all(loops); return seen; } };
}
const flows = (k) => { const from = k.seen.answered; return eventually(() => k.seen.answered > from + 20, 'answers', 90000); };

test('kill -9 of the master, and a restart: started again on the stored sockets, nobody is refused', limited, async () => {
  const { slots } = await ready();
  assert.equal((await show('pairwire', 'NFileDescriptorStore')).NFileDescriptorStore, String(slots.length));
  const k = knocking();
  await flows(k);
  for (const command of [`kill -9 ${await mainPid()}`, 'systemctl restart pairwire']) {
    const [since, pid] = [await cursor(), await mainPid()];
    await sh(command);
    await logged(since, /^listening sockets are used again: sockets=/);
    await eventually(async () => !['0', pid].includes(await mainPid()), 'another master', 90000);
    await ready();
    await flows(k);
  }
  assert.equal((await k.end()).refused, 0);
  assert.equal((await show('pairwire', 'NRestarts')).NRestarts, '0', 'a restart by hand counts anew');
});

test('stopped, nobody listens', limited, async () => {
  await sh('systemctl stop pairwire');
  const k = knocking();
  await eventually(() => k.seen.refused > 0, 'refused');
  await k.end();
  await sh('systemctl start pairwire');
  await ready();
});

const socketUnit = (n) => edit('pairwire.socket', ['[Socket]', 'ListenStream=', ...Array(n).fill(`ListenStream=0.0.0.0:${PORT}`)]);

test('pairwire.socket: the first client starts it', limited, async () => {
  const { slots } = await status();
  await sh('systemctl stop pairwire');
  await socketUnit(slots.length);
  await sh('systemctl start pairwire.socket');
  assert.equal((await show('pairwire', 'ActiveState')).ActiveState, 'inactive');
  const since = await cursor();
  const k = knocking();
  await flows(k);
  await logged(since, new RegExp(`^systemd listens for us; .*sockets=${slots.length} `));
  await ready();
  await sh(`kill -9 ${await mainPid()}`);
  await flows(k);
  await sh('systemctl restart pairwire');
  await ready();
  await sh('pairwirectl upgrade');
  await ready();
  await flows(k);
  assert.equal((await k.end()).refused, 0);
});

test('pairwire.socket with another number of sockets than of workers is named as what it is', limited, async () => {
  const { slots } = await status();
  const since = await cursor();
  await sh('systemctl stop pairwire.socket pairwire');
  await socketUnit(slots.length + 1);
  await sh('systemctl start pairwire.socket');
  await refused('systemctl start pairwire');
  await logged(since, new RegExp(`^master: systemd passes ${slots.length + 1} listening sockets, but there are ${slots.length} workers`));
  assert.deepEqual(await show('pairwire', 'ExecMainStatus', 'NRestarts'), { ExecMainStatus: '78', NRestarts: '0' });
  await sh('systemctl stop pairwire.socket');
  await edit('pairwire.socket');
  await sh('systemctl reset-failed; systemctl start pairwire');
  await ready();
});

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const tokens = {
  secret: (user) => sign({ userId: user, exp: now() + 3600 }, SECRET),
  key: (user) => sign({ userId: user, exp: now() + 3600 }, keys.privateKey, { alg: 'RS256' }),
};
async function comesIn(token) {
  const user = randomUUID();
  await c.pg.query(`INSERT INTO users (id, first_name) VALUES ($1, 'Ann')`, [user]);
  const client = await connect(URL_, user, { auth: { token: token(user) } });
  client.close();
}
async function credential(name, text) {
  const file = `/etc/pairwire/credentials/${name}`;
  await write(file, text);
  await sh(`chmod 700 /etc/pairwire/credentials; chmod 600 ${file}`);
  return `LoadCredential=${name}:${file}`;
}

test('secrets as credentials, which only root can read', limited, async () => {
  await configure({ jwt_secret: '', database_url: '' });
  await refused('systemctl restart pairwire');
  const url = await credential('database_url', `${DATABASE}\n`);
  await edit('pairwire.service', ['[Service]', await credential('jwt_secret', `${SECRET}\n`), url]);
  await sh('systemctl restart pairwire');
  await ready();
  await comesIn(tokens.secret);
  const shown = await sh('pairwirectl config');
  assert.match(shown, /^# credential jwt_secret; .*\n# jwt_secret = \(set\)$/m);
  assert.ok(!shown.includes(SECRET));
  await sh('pairwirectl upgrade; systemctl reload pairwire');
  await comesIn(tokens.secret);
  await edit('pairwire.service', ['[Service]', await credential('jwt_public_key', keys.publicKey.export({ type: 'spki', format: 'pem' })), url]);
  await sh('systemctl restart pairwire');
  await ready();
  await comesIn(tokens.key);
  await assert.rejects(comesIn(tokens.secret), /Invalid or expired token/);
});

test('pushd with the providers, its key a credential', limited, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'pw-boot.'));
  const providers = await startProviders(dir);
  try {
    const { account } = providers.project;
    const conf = providers.conf();
    for (const [key, file] of [['push_ca_file', 'ca.pem'], ['apns_key', 'AuthKey.p8']]) {
      await write(`/etc/pairwire/${file}`, readFileSync(conf[key], 'utf8'));
      await sh(`chgrp pairwire /etc/pairwire/${file}; chmod 640 /etc/pairwire/${file}`);
      conf[key] = `/etc/pairwire/${file}`;
    }
    delete conf.fcm_credentials;
    await configure({ ...conf, firebase_project_id: account.project_id, firebase_client_email: account.client_email });
    await edit('pairwire-pushd.service', ['[Service]', await credential('firebase_private_key', account.private_key),
      `LoadCredential=database_url:/etc/pairwire/credentials/database_url`]);
    await sh('systemctl restart pairwire-pushd');
    const user = randomUUID();
    await c.pg.query(`INSERT INTO users (id, first_name) VALUES ($1, 'Ann')`, [user]);
    for (const [provider, platform, token] of [['fcm', 'android', `${randomUUID()}:APA91b${'x'.repeat(80)}`], ['apns', 'ios', 'ab'.repeat(32)]]) {
      await c.pg.query('INSERT INTO devices (id, user_id, push_token, platform, provider) VALUES ($1, $2, $3, $4, $5)', [randomUUID(), user, token, platform, provider]);
    }
    await sh(`redis-cli XADD push_notifications '*' event '{"userId":"${user}","type":"new_match","data":{}}'`);
    await eventually(() => providers.fcm.requests.length > 0 && providers.apns.requests.length > 0, 'notifications');
    assert.deepEqual(providers.violations, []);
    await sh('systemctl reload pairwire-pushd; systemctl is-active pairwire-pushd');
  } finally {
    await providers.close();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('the file has them again', limited, async () => {
  await configure({ jwt_secret: SECRET, database_url: DATABASE, firebase_project_id: '', firebase_client_email: '', apns_key: '', apns_key_id: '', apns_team_id: '', apns_topic: '', push_ca_file: '' });
  await edit('pairwire.service');
  await edit('pairwire-pushd.service', DRY_RUN);
  await sh('systemctl restart pairwire pairwire-pushd');
  await ready();
  await comesIn(tokens.secret);
});
