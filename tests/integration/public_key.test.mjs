// Users' tokens signed by a private key that the server does not have: what it
// accepts, a new key while people are connected, bad files, and what its tools say.
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from './lib/cluster.mjs';
import { now, sign } from './lib/token.mjs';
import { eventually } from './lib/wait.mjs';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const pem = (key) => key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' });

const file = join(tmpdir(), `pw-public-key-${process.pid}.pem`);
writeFileSync(file, pem(rsa.publicKey));
process.once('exit', () => rmSync(file, { force: true }));

const by = (kind, user, claims = {}) => sign({ userId: user, exp: now() + 3600, ...claims },
  kind.privateKey, { alg: kind === rsa ? 'RS256' : 'ES256' });
const log = (c) => readFileSync(c.log, 'utf8');
const reloaded = (c) => log(c).match(/worker\[\d+\]: reloaded changed=jwt_public_key\b/g)?.length ?? 0;

// What the program says when it fails.
async function refused(c, ...args) {
  const err = await c.ctl(...args).then(() => assert.fail(`${args} was not refused`), (e) => e);
  assert.equal(err.code, 1);
  return err.stderr;
}

async function message(c, token) {
  try {
    const client = await c.tryConnect({ token });
    client.close();
    return 'connected';
  } catch (err) {
    return err.message;
  }
}

async function row(c) {
  const text = await c.ctl('check', '--json').catch((err) => err.stdout);
  return JSON.parse(text).checks.find((r) => r.name === 'token key');
}

const NO = 'Invalid or expired token';

await suite({ auth: { jwt_secret: '', jwt_public_key_file: file } }, {
  async 'tokens of its private half, and no others'(c) {
    const user = await c.user();
    const text = pem(rsa.publicKey);
    const claims = { userId: user, exp: now() + 3600 };
    assert.equal(await message(c, by(rsa, user)), 'connected');
    const client = await c.connect(user, { auth: { token: by(rsa, user) } });
    assert.equal((await client.got('session:ready')).userId, user);
    for (const [what, token] of Object.entries({
      'another kind': by(ec, user),
      'another key': sign(claims, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, { alg: 'RS256' }),
      'its text for a secret': sign(claims, text),
      'its text, trimmed': sign(claims, text.trim()),
      none: sign(claims, '', { alg: 'none' }),
      expired: by(rsa, user, { exp: now() - 3600 }),
      nobody: by(rsa, undefined),
    })) assert.equal(await message(c, token), NO, what);
    client.close();
  },

  async 'no token can be made here'(c) {
    assert.match(await refused(c, 'token', 'anna'), /signing a token needs a jwt_secret; here there is a public key/);
    const r = await row(c);
    assert.deepEqual(r, { name: 'token key', ok: true, text: `RS256, a public key of 2048 bits, ${file}`, todo: '' });
    assert.match(await c.ctl('config'), /\n# jwt_public_key = \(set\)\n/);
  },

  async 'bad files change nothing and are named'(c) {
    const user = await c.user();
    const line = readFileSync(c.file, 'utf8').split('\n').findIndex((l) => l.startsWith('jwt_public_key_file')) + 1;
    const where = `${c.file}:${line}: jwt_public_key_file: ${file}: `;
    for (const [text, what] of [
      [undefined, 'No such file or directory'],
      ['', 'is no public key in PEM form'],
      [pem(rsa.privateKey), 'is a private key; give its public half'],
      [pem(short.publicKey), 'is an RSA key of 1024 bits; 2048 to 8192 are allowed'],
      [pem(p384.publicKey), 'is neither an RSA key (RS256) nor an EC key on the curve P-256 (ES256)'],
    ]) {
      if (text === undefined) rmSync(file);
      else writeFileSync(file, text);
      const said = await refused(c, 'reload');
      assert.ok(said.startsWith(`pairwirectl: ${where}${what}`), said);
      assert.ok(log(c).includes(`reload refused, nothing has changed: ${where}${what}`));
      const r = await row(c);
      assert.equal(r.ok, false);
      assert.ok(r.text.includes(`by now, ${file}: ${what}`), r.text);
    }
    assert.equal(reloaded(c), 0);
    assert.equal(await message(c, by(rsa, user)), 'connected');
    // nor does a worker that starts by now read it
    const [victim] = (await c.status()).slots;
    process.kill(victim.pid, 'SIGKILL');
    await eventually(async () => (await c.status()).slots.every((s) => s.state === 'ready' && s.pid !== victim.pid), 'a new worker', 30000);
    await c.ready();
    assert.equal(await message(c, by(rsa, user)), 'connected');
  },

  async 'another key, of another kind, while people chat'(c) {
    const { a, b, match } = await c.pair();
    const [ca, cb] = [await c.connect(a, { auth: { token: by(rsa, a) } }), await c.connect(b, { auth: { token: by(rsa, b) } })];
    const ends = [];
    for (const client of [ca, cb]) client.socket.on('disconnect', (why) => ends.push(why));
    writeFileSync(file, pem(ec.publicKey));
    const before = await row(c);
    assert.deepEqual([before.ok, before.todo], [false, 'pairwirectl reload']);
    assert.equal(await message(c, by(ec, a)), NO, 'not before the reload');
    assert.equal(await c.ctl('reload'), 'reloaded: jwt_public_key\n');
    assert.equal(reloaded(c), 2, 'both workers have it');
    assert.equal(await message(c, by(ec, a)), 'connected');
    assert.equal(await message(c, by(rsa, a)), NO);
    assert.equal(await message(c, sign({ userId: a }, pem(createPublicKey(ec.privateKey)))), NO);
    await ca.send(match, 'still here');
    await cb.got('message:new', (m) => m.content === 'still here', 30000);
    assert.deepEqual(ends, []);
    assert.equal((await row(c)).text, `ES256, a public key of 256 bits, ${file}`);
  },

  async 'a secret instead, and never both'(c) {
    const user = await c.user();
    c.configure({ auth: { jwt_secret: c.secret } });
    assert.match(await refused(c, 'reload'), /jwt_public_key_file: is set, and so is jwt_secret; tokens are checked by one key/);
    assert.equal(await message(c, by(ec, user)), 'connected');
    c.configure({ auth: { jwt_public_key_file: '' } });
    const before = log(c).match(/worker\[\d+\]: reloaded changed=jwt_secret/g)?.length ?? 0;
    await c.ctl('reload');
    assert.equal(log(c).match(/worker\[\d+\]: reloaded changed=jwt_secret/g)?.length, before + 2, 'both workers have it');
    assert.equal(await message(c, by(ec, user)), NO);
    assert.equal(await message(c, c.token(user)), 'connected');
    assert.equal((await row(c)).text, 'HS256, jwt_secret');
    assert.match(await c.ctl('token', user), /^ey/);
  },
});
