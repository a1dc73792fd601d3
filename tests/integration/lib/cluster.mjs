// A running Pairwire with a database of its own: master, workers, control tool.
import { execFile, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { promisify } from 'node:util';
import pg from 'pg';
import { createClient } from 'redis';
import { connect, RawClient } from './client.mjs';
import { KIND, openStore } from './store.mjs';
import { Supervisor } from './supervisor.mjs';
import { now, sign } from './token.mjs';
import { DEADLINE, eventually, until } from './wait.mjs';

const top = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../../..');
export const build = resolve(process.env.PW_TEST_BUILD || join(top, 'build-tests'));
export { isGone } from './gone.mjs';

const run = promisify(execFile);
const masters = new Set();

const dirs = new Set();

// Whatever ends this process ends the masters; workers follow their master.
process.on('exit', () => {
  for (const m of masters) m.kill('SIGKILL');
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.exit(1));

let clusters = 0;
let hosts = 0;

const UP = ['redis_up', 'redis_sub_up', 'postgres_up', 'listen_up', 'store_up', 'push_up'];

// Two configurations, the second one's keys over the first one's.
function merged(below, above) {
  const both = { ...below };
  for (const [section, keys] of Object.entries(above)) both[section] = { ...both[section], ...keys };
  return both;
}

export class Cluster {
  secret = randomBytes(24).toString('base64url');
  clients = new Set();
  #hosts = [];
  programs = { master: join(build, 'master/pairwire'), worker: join(build, 'worker/pairwire-worker') };

  // conf: { section: { key: value } }, over what is set below. before(pg), after(pg):
  // around pairwire-migrate. programs(dir): { master, worker }, others than the
  // build's; dir is the cluster's. supervise: options of lib/supervise; the master is
  // that one's then, and c.systemd it.
  static async start(conf = {}, { programs, supervise, ...schema } = {}) {
    const c = new Cluster();
    await c.#prepare(schema);
    c.conf = conf;
    c.supervise = supervise;
    Object.assign(c.programs, programs?.(c.dir));
    await c.#launch(conf);
    return c;
  }

  // Ends everything (SIGKILL: at once) and starts it anew, on another port.
  async restart(signal = 'SIGTERM') {
    this.master.kill(signal);
    await this.ended;
    delete this.exit;
    await this.#launch(this.conf);
  }

  // Another host of this cluster: a master and workers with a node name of their
  // own, on the same databases; conf over that of this one. To be ended before
  // the cluster is.
  async anotherHost(conf = {}) {
    const c = new Cluster();
    for (const k of ['secret', 'database', 'databaseUrl', 'db', 'pg', 'redis', 'store']) c[k] = this[k];
    c.node = `${this.node}-${++hosts}`;
    c.name = `${this.name}-host${hosts}`;
    c.dir = mkdtempSync(join(tmpdir(), 'pw-it.'));
    dirs.add(c.dir);
    c.conf = merged(this.conf, conf);
    this.#hosts.push(c);
    await c.#launch(c.conf);
    return c;
  }

  // As a host does that loses its power: nobody has a last word.
  async powerOff() {
    const { slots } = await this.status();
    this.master.kill('SIGSTOP');	// it would replace them
    for (const s of slots) process.kill(s.pid, 'SIGKILL');
    this.master.kill('SIGKILL');
    await this.ended;
    this.closeClients();
  }

  async #prepare({ before, after }) {
    this.name = `${basename(process.argv[1], '.test.mjs')}-${++clusters}`;
    this.dir = mkdtempSync(join(tmpdir(), 'pw-it.'));
    dirs.add(this.dir);
    const admin = new URL(process.env.PW_TEST_DATABASE_URL);
    this.db = clusters;
    this.database = `pw_${randomBytes(6).toString('hex')}`;
    this.node = this.database;
    this.admin = new pg.Client(admin.href);
    await this.admin.connect();
    await this.admin.query(`CREATE DATABASE ${this.database}`);
    const url = new URL(admin);
    url.pathname = `/${this.database}`;
    this.databaseUrl = url.href;
    this.pg = new pg.Client(url.href);
    await this.pg.connect();
    await before?.(this.pg);
    await run(join(top, 'common/schema/pairwire-migrate'), [], { env: { ...process.env, DATABASE_URL: url.href } });
    await after?.(this.pg);
    this.store = await openStore(KIND, this.pg, this.database);
    this.redis = createClient({
      socket: { host: process.env.PW_TEST_REDIS_HOST, port: Number(process.env.PW_TEST_REDIS_PORT) },
      database: this.db,
    });
    await this.redis.connect();
    this.queueUrl = `redis://${process.env.PW_TEST_REDIS_HOST}:${process.env.PW_TEST_REDIS_PORT}/${clusters}`;
    await this.redis.flushDb();
  }

  async #launch(conf) {
    this.settings = merged({
      // on a busy machine what stands still for seconds is neither stuck nor away
      server: {
        listen: '127.0.0.1', port: 0, workers: 2, node: this.node, run_dir: this.dir, admin_listen: '127.0.0.1:0',
        stuck_timeout: '1m', stop_timeout: '1m',
      },
      auth: { jwt_secret: this.secret },
      chat: { offline_grace: '1s' },
      // tests are faster than people, and all come from one address
      limits: { message_rate: 0, connect_rate: 0 },
      directory: { database_url: this.databaseUrl, database_timeout: '30s' },
      store: this.store.url ? { store_url: this.store.url } : {},
      redis: { redis_host: process.env.PW_TEST_REDIS_HOST, redis_port: process.env.PW_TEST_REDIS_PORT, redis_db: this.db, redis_timeout: '30s' },
    }, conf);
    this.file = join(this.dir, 'pairwire.conf');
    this.configure({});
    this.log = join(process.env.PW_TEST_OUT || this.dir, `${this.name}.log`);
    const log = openSync(this.log, 'a');
    const program = [this.programs.master, '-c', this.file];
    const env = { PAIRWIRE_WORKER: this.programs.worker, ...process.env };
    if (this.supervise) {
      this.systemd = new Supervisor(this.supervise, program, { env, log });
      this.master = this.systemd.process;
    } else {
      this.master = spawn(program[0], program.slice(1), { env, stdio: ['ignore', log, log] });
    }
    closeSync(log);
    masters.add(this.master);
    this.ended = new Promise((done) => {
      this.master.once('exit', (code, signal) => { masters.delete(this.master); this.exit = { code, signal }; done(this.exit); });
    });
    const { port, admin } = await this.ready();
    this.url = `http://127.0.0.1:${port}`;
    this.adminUrl = `http://${admin}`;
  }

  // Writes the file: this over what it says.
  configure(conf) {
    this.settings = merged(this.settings, conf);
    writeFileSync(this.file, Object.entries(this.settings).map(([section, keys]) =>
      `[${section}]\n${Object.entries(keys).map(([k, v]) => `${k} = ${v}\n`).join('')}`).join('\n'));
  }

  // Every worker serves, and reaches what it needs.
  async ready() {
    return eventually(async (note) => {
      assert.equal(this.exit, undefined, 'the master ended');
      const status = await this.status().catch((err) => { note(String(err)); });
      if (!status) return undefined;
      note(status.slots.map((s) => [s.state, ...UP.filter((k) => s.stats[k] !== 1)]));
      return status.slots.every((s) => s.state === 'ready' && UP.every((k) => s.stats[k] === 1)) ? status : undefined;
    }, 'all workers ready', 60000);
  }

  async ctl(...args) {
    const { stdout } = await run(join(build, 'ctl/pairwirectl'), ['-c', this.file, ...args]);
    return stdout;
  }

  async status() { return JSON.parse(await this.ctl('status', '--json')); }

  async worker(instance) {
    return (await this.status()).slots.find((s) => s.instance === instance);
  }

  async instances() { return (await this.status()).slots.map((s) => s.instance); }

  // --- the app's data ---

  async user(firstName = 'Ann') {
    const id = randomUUID();
    await this.pg.query('INSERT INTO users (id, first_name) VALUES ($1, $2)', [id, firstName]);
    return id;
  }

  async match(a, b) {
    const id = randomUUID();
    await this.pg.query('INSERT INTO matches (id, user_a_id, user_b_id) VALUES ($1, $2, $3)', [id, a, b]);
    return id;
  }

  // Two new users and their match.
  async pair() {
    const a = await this.user('Ann');
    const b = await this.user('Bob');
    return { a, b, match: await this.match(a, b) };
  }

  async unmatch(match) {
    await this.pg.query('UPDATE matches SET unmatched_at = now() WHERE id = $1', [match]);
  }

  // The push events queued for a user.
  async pushes(user) {
    const entries = await this.redis.xRange('push_notifications', '-', '+');
    return entries.map((e) => JSON.parse(e.message.event)).filter((e) => e.userId === user);
  }

  // The same, once there are n.
  async pushed(user, n = 1, ms = DEADLINE) {
    return eventually(async (note) => {
      const events = await this.pushes(user);
      note(events.length);
      return events.length >= n && events;
    }, `${n} push events`, ms);
  }

  // --- clients ---

  token(user, claims = {}, options = {}) {
    return sign({ userId: user, iat: now(), exp: now() + 3600, ...claims }, options.secret ?? this.secret, options);
  }

  async connect(user, options = {}) {
    const client = await connect(this.url, user, { auth: { token: this.token(user) }, ...options });
    this.clients.add(client);
    return client;
  }

  // Without a token's help: whatever auth says. For refusals.
  async tryConnect(auth) {
    const client = await connect(this.url, 'nobody', { auth });
    this.clients.add(client);
    return client;
  }

  raw(options) {
    const client = new RawClient(this.url, options);
    this.clients.add(client);
    return client;
  }

  async rawJoin(user, options) {
    return this.raw(options).join({ token: this.token(user) });
  }

  // Of a token that ends soon, join(token)'s result and that end (in seconds): as
  // soon as this machine lets anybody in.
  async untilItExpires(user, join) {
    for (let life = 2; ; life *= 2) {
      const exp = now() + life;
      try {
        return { exp, client: await join(this.token(user, { exp })) };
      } catch (err) {
        if (Date.now() < exp * 1000) throw err;
      }
    }
  }

  // The tests of a file share a cluster; each leaves it without clients.
  closeClients() {
    for (const client of this.clients) client.close();
    this.clients.clear();
  }

  async stop() {
    this.closeClients();
    if (!this.exit) {
      this.master.kill('SIGTERM');
      await until(this.master, 'exit', () => true, 60000);
    }
    return this.exit;
  }

  async cleanUp() {
    for (const host of this.#hosts) if (!host.exit) host.master.kill('SIGKILL');	// of a test that failed
    await this.store.close();
    await this.redis.quit();
    await this.pg.end();
    await this.admin.query(`DROP DATABASE ${this.database} WITH (FORCE)`);
    await this.admin.end();
  }
}

// What each file is: one cluster, its tests, and that it stops in order.
// expected: how the master ends. tests: { name: async (cluster, t) => … }
export async function suite(conf, tests, expected = { code: 0, signal: null }, options = {}) {
  const cluster = await Cluster.start(conf, options);
  for (const [name, fn] of Object.entries(tests)) {
    test(name, { timeout: 120000 }, async (t) => {
      try {
        await fn(cluster, t);
      } finally {
        cluster.closeClients();
      }
    });
  }
  test('the cluster stops when told to', async () => {
    const exit = await cluster.stop().finally(() => cluster.cleanUp());
    assert.deepEqual(exit, expected);
  });
}
