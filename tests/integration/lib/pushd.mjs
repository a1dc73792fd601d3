// pairwire-pushd between a database, a Redis and a queue of its own, and the
// fake providers.
import { execFile, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { promisify } from 'node:util';
import pg from 'pg';
import { createClient } from 'redis';
import { startProviders } from '../../fakes/providers.mjs';
import { freePort } from './port.mjs';
import { parse } from './prometheus.mjs';
import { KIND, openStore } from './store.mjs';
import { eventually, withDeadline } from './wait.mjs';

const top = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../../..');
const build = resolve(process.env.PW_TEST_BUILD || join(top, 'build-tests'));
const run = promisify(execFile);

export const STREAM = 'push_notifications';
export const DEAD_LETTER = `${STREAM}.dlq`;

const processes = new Set();
const dirs = new Set();
process.on('exit', () => {
  for (const p of processes) p.kill('SIGKILL');
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.exit(1));

let worlds = 0;

const ini = (conf) => Object.entries(conf).map(([section, keys]) =>
  `[${section}]\n${Object.entries(keys).map(([k, v]) => `${k} = ${v}\n`).join('')}`).join('\n');

function merged(below, above) {
  const both = { ...below };
  for (const [section, keys] of Object.entries(above)) both[section] = { ...both[section], ...keys };
  return both;
}

const redisPlace = () => [process.env.PW_TEST_REDIS_HOST, Number(process.env.PW_TEST_REDIS_PORT)];

// One running pairwire-pushd.
class Daemon {
  constructor(world, name) {
    Object.assign(this, { world, name, file: join(world.dir, `${name}.conf`) });
    this.logFile = join(process.env.PW_TEST_OUT || world.dir, `${world.name}-${name}.log`);
  }

  configure(conf) {
    this.conf = conf;
    writeFileSync(this.file, ini(conf));
  }

  // With what keeps it from being ready: ready false.
  async start({ ready = true } = {}) {
    const port = await freePort();
    this.configure(merged(this.conf, { pushd: { pushd_listen: `127.0.0.1:${port}` } }));
    this.url = `http://127.0.0.1:${port}`;
    const log = openSync(this.logFile, 'a');
    this.process = spawn(join(build, 'pushd/pairwire-pushd'), ['-c', this.file], { stdio: ['ignore', log, log] });
    closeSync(log);
    processes.add(this.process);
    delete this.exit;
    this.ended = new Promise((done) => {
      this.process.once('exit', (code, signal) => { processes.delete(this.process); this.exit = { code, signal }; done(this.exit); });
    });
    return ready ? this.ready() : this;
  }

  async ready() {
    await eventually(async (note) => {
      assert.equal(this.exit, undefined, `pairwire-pushd ended: ${this.log.slice(-500)}`);
      const response = await fetch(`${this.url}/readyz`).catch((err) => { note(String(err.cause ?? err)); });
      if (response) note(await response.text());
      return response?.ok;
    }, `${this.name} ready`);
    return this;
  }

  get log() { return readFileSync(this.logFile, 'utf8'); }

  // Families of /metrics.
  async metrics() { return parse(await (await fetch(`${this.url}/metrics`)).text()); }

  // A counter or gauge, all of it or what has these labels: 'sent_total', { provider: 'fcm' }.
  async metric(name, labels = {}) {
    const family = (await this.metrics()).get(`pairwire_pushd_${name}`) ?? assert.fail(`no ${name}`);
    return family.samples.filter((s) => Object.entries(labels).every(([k, v]) => s.labels[k] === v)).reduce((n, s) => n + s.value, 0);
  }

  signal(name) { this.process.kill(name); }

  // What the log says from now on.
  mark() {
    const from = this.log.length;
    return () => this.log.slice(from);
  }

  async logged(pattern, since = () => this.log, ms = undefined) {
    return eventually(() => pattern.exec(since()), `${pattern} in the log`, ms);
  }

  // With another configuration, whole or in part.
  async reload(conf = {}) {
    const since = this.mark();
    const before = await this.metric('reloads_total') + await this.metric('reloads_failed_total');
    this.configure(merged(this.conf, conf));
    this.signal('SIGHUP');
    await eventually(async () => await this.metric('reloads_total') + await this.metric('reloads_failed_total') > before, 'a reload');
    return since();
  }

  async end(signal = 'SIGTERM') {
    if (!this.exit) this.signal(signal);
    return withDeadline(this.ended, 60000, `${this.name} ends`);
  }
}

// devices, users, messages, queue, providers; and one pushd unless told otherwise.
export class PushWorld {
  daemons = [];
  texts = new Set();	// contents that no log may show
  tokens = new Set();

  // conf: over what is set below; or a function of the world that makes it.
  // chat: a Cluster (cluster.mjs), whose databases are this world's, too, and which
  // ends with it.
  static async start(conf = {}, { daemon = true, chat } = {}) {
    const w = new PushWorld();
    await w.#prepare(conf, chat);
    if (daemon) await w.start();
    return w;
  }

  async #prepare(conf, chat) {
    this.name = `${basename(process.argv[1], '.test.mjs')}-${++worlds}`;
    this.dir = mkdtempSync(join(tmpdir(), 'pw-push.'));
    dirs.add(this.dir);
    this.providers = await startProviders(this.dir);
    Object.assign(this, { fcm: this.providers.fcm, apns: this.providers.apns, oauth: this.providers.oauth });
    if (chat) Object.assign(this, { chat, database: chat.database, databaseUrl: chat.databaseUrl, pg: chat.pg, store: chat.store, redis: chat.redis, db: chat.db });
    else await this.#makeDatabases();
    const [host, port] = redisPlace();
    this.conf = merged({
      // on a busy machine what stands still for seconds is not away
      server: { node: this.database, run_dir: this.dir },
      log: { log_level: 'debug' },
      directory: { database_url: this.databaseUrl, database_timeout: '30s' },
      store: this.store.url ? { store_url: this.store.url } : {},
      redis: { redis_host: host, redis_port: port, redis_db: this.db, redis_timeout: '30s' },
      push: { push_ttl: '1h' },
      pushd: { ...this.providers.conf(), push_timeout: '30s', push_guard: 100, push_guard_hold: '0s' },
    }, typeof conf === 'function' ? conf(this) : conf);
  }

  async #makeDatabases() {
    this.database = `pw_${randomBytes(6).toString('hex')}`;
    this.admin = new pg.Client(process.env.PW_TEST_DATABASE_URL);
    await this.admin.connect();
    await this.admin.query(`CREATE DATABASE ${this.database}`);
    const url = new URL(process.env.PW_TEST_DATABASE_URL);
    url.pathname = `/${this.database}`;
    this.databaseUrl = url.href;
    await run(join(top, 'common/schema/pairwire-migrate'), [], { env: { ...process.env, DATABASE_URL: url.href } });
    this.pg = new pg.Client(url.href);
    await this.pg.connect();
    this.store = await openStore(KIND, this.pg, this.database);
    this.db = worlds;
    const [host, port] = redisPlace();
    this.redis = createClient({ socket: { host, port }, database: this.db });
    await this.redis.connect();
    await this.redis.flushDb();
  }

  // One more pushd of the group; conf over that of all. options: Daemon.start's.
  async start(conf = {}, options = {}) {
    const name = `pushd${this.daemons.length + 1}`;
    const d = new Daemon(this, name);
    d.configure(merged(this.conf, merged({ pushd: { pushd_name: name } }, conf)));
    this.daemons.push(d);
    return d.start(options);
  }

  get daemon() { return this.daemons[0]; }

  // --- the app's data ---

  // -> id. A row of devices; rows: what is to be unlike this one.
  async device(user, provider = 'fcm', columns = {}) {
    const row = {
      id: randomUUID(), user_id: user, provider, platform: provider === 'apns' ? 'ios' : 'android', updated_at: new Date(),
      push_token: provider === 'apns' ? randomBytes(32).toString('hex') : `${randomBytes(12).toString('base64url')}:APA91b${randomBytes(60).toString('base64url')}`,
      ...columns,
    };
    this.tokens.add(row.push_token);
    const names = Object.keys(row);
    await this.pg.query(`INSERT INTO devices (${names}) VALUES (${names.map((_, i) => `$${i + 1}`)})`, Object.values(row));
    return { id: row.id, token: row.push_token, user };
  }

  // A user with one device.
  async owner(provider = 'fcm', columns = {}) { return this.device(randomUUID(), provider, columns); }

  async devices(user) {
    return (await this.pg.query('SELECT * FROM devices WHERE user_id = $1', [user])).rows;
  }

  async hasDevice({ id }) {
    return (await this.pg.query('SELECT 1 FROM devices WHERE id = $1', [id])).rowCount === 1;
  }

  // A message in the store, as the workers leave it when they queue its push.
  async message(user, columns = {}) {
    const m = {
      id: randomBytes(12).toString('hex'), matchId: randomUUID(), senderId: randomUUID(), recipientId: user,
      content: `content ${randomUUID()}`, sentAt: new Date(), deliveredAt: null, readAt: null, owe: Date.now() * 1000 + 900e6, ...columns,
    };
    await this.store.put(m);
    this.texts.add(m.content);
    return m;
  }

  // --- events ---

  // The event of a message; over: what is to be unlike it.
  event(user, data = {}, over = {}) {
    const content = data.content ?? `content ${randomUUID()}`;
    this.texts.add(content);
    return {
      v: 1, userId: user, type: 'new_message',
      data: { matchId: randomUUID(), senderId: randomUUID(), senderName: 'Ann', content, messageId: randomBytes(12).toString('hex'), ...data },
      queuedAt: new Date().toISOString(), expiresAt: new Date(Date.now() + 3600e3).toISOString(), ...over,
    };
  }

  eventOf(m, over = {}) {
    return this.event(m.recipientId, { matchId: m.matchId, senderId: m.senderId, content: m.content, messageId: m.id }, over);
  }

  // Into the queue, in this order; strings as they are.
  async queue(...events) {
    await Promise.all(events.map((e) => this.redis.xAdd(STREAM, '*', {
      event: typeof e === 'string' ? e : JSON.stringify(e), key: e.data?.messageId ?? '',
    })));
  }

  // A new event for each user. -> events
  async notify(users, data = {}, over = {}) {
    const events = users.map((u) => this.event(u, data, over));
    await this.queue(...events);
    return events;
  }

  // Entries that were not acknowledged.
  async waiting() { return this.redis.xLen(STREAM); }

  // Until each event has its outcome.
  async settled(ms = 60000) {
    await eventually(async (note) => {
      const n = await this.waiting();
      note(n);
      return n === 0;
    }, 'all events acknowledged', ms);
  }

  // Whether it is known that the device had the event's notification.
  async had(event, device) { return Boolean(await this.redis.sIsMember(`pw:pd:${event.data.messageId}`, device.id)); }

  // -> [{ event, reason, source, attempts, time }]
  async deadLetters() {
    return (await this.redis.xRange(DEAD_LETTER, '-', '+')).map((e) => e.message);
  }

  // What the workers count as unread; { match: n }, whole.
  async unread(user, counts) {
    await this.redis.hSet(`pw:urb:${user}`, { '': 0, ...counts });
  }

  // --- providers ---

  fakeOf(provider) { return provider === 'apns' ? this.apns : this.fcm; }

  // The requests for a device, in order.
  sent({ token }) { return [...this.fcm.of(token), ...this.apns.of(token), ...this.providers.sandbox.of(token)]; }

  // Those that it showed.
  shown(device) { return this.sent(device).filter((r) => r.shown); }

  async wasShown(device, n = 1, ms = undefined) {
    return eventually((note) => {
      const all = this.shown(device);
      note(this.sent(device).map((r) => r.reason ?? r.status ?? r.behaviour));
      return all.length >= n && all;
    }, `${n} shown`, ms);
  }

  checkLogs() {
    const logs = this.daemons.map((d) => d.log).join('');
    const bearers = [...this.fcm.requests, ...this.apns.requests].map((r) => r.headers.authorization?.split(' ')[1]);
    for (const secret of [...this.providers.secrets, ...this.oauth.issued, ...bearers, ...this.texts, ...this.tokens])
      if (secret) assert.ok(!logs.includes(secret), `in the log: ${secret}`);
  }

  // A test begins with nothing of the one before.
  async tidy() {
    this.providers.forget();
    await this.redis.del(DEAD_LETTER);
  }

  // Every daemon stops as it is told; what is not allowed did not happen.
  async stop() {
    const exits = await Promise.all(this.daemons.map((d) => d.end()));
    this.checkLogs();
    await this.cleanUp();
    return exits;
  }

  async cleanUp() {
    await this.providers.close();
    if (this.chat) {
      await this.chat.stop();
      await this.chat.cleanUp();
      return;
    }
    await this.store.close();
    await this.redis.quit();
    await this.pg.end();
    await this.admin.query(`DROP DATABASE ${this.database} WITH (FORCE)`);
    await this.admin.end();
  }
}

// One world, its tests, and that pushd stops in order. tests: { name: async (world, t) => … };
// each of them leaves the queue empty, unless it says otherwise, and breaks no provider's rule.
export async function pushSuite(conf, tests, options = {}) {
  const { timeout = 120000 } = options;	// of each test
  const w = await PushWorld.start(conf, options);
  for (const [name, fn] of Object.entries(tests)) {
    test(name, { timeout }, async (t) => {
      await w.tidy();
      await fn(w, t);
      assert.deepEqual(w.providers.violations, []);
    });
  }
  test('pushd stops when told to, and its log keeps secrets', async () => {
    w.daemons = w.daemons.filter((d) => !d.exit);
    for (const exit of await w.stop()) assert.deepEqual(exit, { code: 0, signal: null });
  });
}
