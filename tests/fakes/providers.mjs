#!/usr/bin/env node
// FCM, APNs (production and sandbox) and Google's token end-point, on loopback:
// for tests (startProviders), or as a program for other tests and people:
//
//   providers.mjs DIRECTORY
//
// writes certificate, keys and a [pushd] section into DIRECTORY, says where it
// listens as a line of JSON, then each request in another. Its input are lines of
// JSON: {"at":"fcm","token":"t1","always":{"status":503}}, or "script":[...]
// (behaviour.mjs), or {"at":"apns","goaway":{"share":0.5}}.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { ApnsFake } from './apns.mjs';
import { makeCertificate, makeEcKey, makeRsaKey } from './certificate.mjs';
import { FcmFake } from './fcm.mjs';
import { OauthFake } from './oauth.mjs';

export { apnsError, APNS_REASONS } from './apns.mjs';
export { fcmError, FCM_PLAIN } from './fcm.mjs';

class Providers {
  secrets = [];	// what no log may show

  constructor(dir) {
    this.dir = dir;
    const tls = makeCertificate(dir);
    this.ca = tls.file;
    this.oauth = new OauthFake(tls);
    this.fcm = new FcmFake(tls, this.oauth);
    this.apns = new ApnsFake(tls);
    this.sandbox = new ApnsFake(tls, 'apns sandbox');
  }

  get all() { return [this.oauth, this.fcm, this.apns, this.sandbox]; }
  get violations() { return this.all.flatMap((p) => p.violations); }

  // A Firebase project with its account. -> { file, project, account }
  addProject(project, key = makeRsaKey()) {
    const email = `pusher@${project}.iam.gserviceaccount.com`;
    const keyId = `kid${this.secrets.length}`.padEnd(40, '0');
    const account = {
      type: 'service_account', project_id: project, private_key_id: keyId, private_key: key.pem, client_email: email,
      client_id: '1', token_uri: this.oauth.url, universe_domain: 'googleapis.com',
    };
    const file = join(this.dir, `${project}.json`);
    writeFileSync(file, JSON.stringify(account, null, 2), { mode: 0o600 });
    this.oauth.add({ email, publicKey: key.publicKey, project, keyId });
    this.fcm.projects.add(project);
    this.secrets.push(...secretLines(key.pem));
    return { file, project, account, key };
  }

  // A signing key of a team. -> { file, keyId, team, topics }
  addKey(keyId, team, topics, key = makeEcKey()) {
    const file = join(this.dir, `AuthKey_${keyId}.p8`);
    writeFileSync(file, key.pem, { mode: 0o600 });
    for (const apns of [this.apns, this.sandbox]) apns.add({ keyId, team, publicKey: key.publicKey, topics });
    this.secrets.push(...secretLines(key.pem));
    return { file, keyId, team, topics };
  }

  // The keys of [pushd] that lead here.
  conf() {
    return {
      fcm_credentials: this.project.file, fcm_url: this.fcm.url, google_token_url: this.oauth.url,
      apns_key: this.key.file, apns_key_id: this.key.keyId, apns_team_id: this.key.team, apns_topic: this.key.topics[0],
      apns_url: this.apns.url, apns_sandbox_url: this.sandbox.url, push_ca_file: this.ca,
    };
  }

  forget() {
    for (const p of this.all) p.forget();
  }

  async close() {
    await Promise.all(this.all.map((p) => p.close()));
    if (this.own) rmSync(this.dir, { recursive: true, force: true });
  }
}

const secretLines = (pem) => pem.split('\n').filter((line) => line.length > 20 && !line.startsWith('---'));

// dir: where keys are written; without it a directory that goes with close().
export async function startProviders(dir) {
  const own = dir === undefined;
  const at = dir ?? await mkdtemp(join(tmpdir(), 'pw-fakes.'));
  mkdirSync(at, { recursive: true });
  const p = new Providers(at);
  p.own = own;
  await Promise.all(p.all.map((one) => one.listen()));
  p.project = p.addProject('pairwire-test');
  p.key = p.addKey('ABC1234567', 'TEAM123456', ['com.example.pairwire']);
  return p;
}

function command(p, line) {
  const { at, token = '*', always, script, goaway, drop, limit, expiresIn } = JSON.parse(line);
  const one = p.all.find((x) => x.name === at);
  if (always !== undefined) one.always(token, always ?? undefined);
  if (script) one.script(token, ...script);
  if (goaway) one.goAwayAll(goaway);
  if (drop) one.dropAll();
  if (limit) one.setLimit(limit);
  if (expiresIn) one.expiresIn = expiresIn;
}

async function main([dir]) {
  if (!dir) {
    console.error('usage: providers.mjs DIRECTORY');
    process.exit(2);
  }
  const p = await startProviders(dir);
  const say = (o) => process.stdout.write(`${JSON.stringify(o)}\n`);
  writeFileSync(join(dir, 'pushd.conf'), `[pushd]\n${Object.entries(p.conf()).map(([k, v]) => `${k} = ${v}\n`).join('')}`);
  say(p.conf());
  for (const one of p.all) {
    one.on('request', (r) => say({ at: one.name, token: r.token, path: r.path, body: r.body, connection: r.connection }));
    one.on('violation', (violation) => say({ violation }));
  }
  createInterface({ input: process.stdin }).on('line', (line) => {
    try {
      command(p, line);
    } catch (err) {
      say({ error: `${line}: ${err.message}` });
    }
  }).on('close', async () => { await p.close(); process.exit(0); });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main(process.argv.slice(2));
