// Everything of one row: servers, hosts, the queue's reader, the cast.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { createClient, pg } from './packages.mjs';
import { eventually } from '../../integration/lib/wait.mjs';
import { Balancer } from './balancer.mjs';
import { assemble } from './cast.mjs';
import { Host } from './host.mjs';
import { Ledger } from './ledger.mjs';
import { Reader } from './reader.mjs';
import { startServers } from './servers.mjs';
import { DOWN, settings } from './settings.mjs';
import { stored } from './stored.mjs';

const run = promisify(execFile);
const top = resolve(new URL('../../..', import.meta.url).pathname);
const UP_MS = 60000;

export class World {
  ledger = new Ledger();
  hosts = [];
  pairs = [];
  balancers = [];

  // row: see rows.mjs. interval: ms between a sender's messages.
  static async create({ row, store, dir, template, build, interval }) {
    const w = Object.assign(new World(), { dir, secret: randomBytes(24).toString('base64url') });
    try {
      await w.#build({ row, store, template, build, interval });
    } catch (err) {
      await w.close().catch(() => {});
      throw err;
    }
    return w;
  }

  async #build({ row, store, template, build, interval }) {
    this.servers = await startServers(this.dir, template, store);
    const databaseUrl = this.servers.postgres.url;
    await run(join(top, 'common/schema/pairwire-migrate'), [], { env: { ...process.env, DATABASE_URL: databaseUrl } });
    const conf = settings({ servers: this.servers, secret: this.secret });
    this.hosts.push(await Host.create('a', this.dir, build, conf));
    if (row.hosts === 2) this.hosts.push(await Host.create('b', this.dir, build, conf, { clock: row.clock }));
    this.reader = new Reader(this, build);
    const db = new pg.Client(databaseUrl);
    await db.connect();
    this.pairs = await assemble({
      db, ledger: this.ledger, secret: this.secret, interval, frozen: row.frozen, urls: await this.#urls(),
    });
    await db.end();
    await eventually((note) => {
      const waiting = this.ledger.devices.filter((d) => d.connections === 0);
      note(waiting.map((d) => d.name));
      return waiting.length === 0;
    }, 'every device connected', UP_MS);
  }

  async #urls() {
    if (this.hosts.length === 1) return [this.hosts[0].url];
    const ports = this.hosts.map((h) => h.port);
    this.balancers = await Promise.all([ports, [...ports].reverse()].map((order) => Balancer.create(order)));
    return this.balancers.map((b) => b.url);
  }

  get users() { return this.pairs.flatMap((p) => [p.a, p.b]); }
  get senders() { return this.pairs.flatMap((p) => p.senders); }
  get living() { return this.hosts.filter((h) => !h.dead); }
  of(kind) { return this.pairs.filter((p) => p.kind === kind); }

  stored() { return stored(this.servers); }

  // Of whom Redis, or a device of his match, says something else than is true.
  async untrue() {
    const redis = createClient({ url: this.servers.redis.url });
    redis.on('error', () => {});
    await redis.connect();
    try {
      const online = new Set(await redis.sMembers('online:users'));
      const wrong = this.users.filter((u) => online.has(u.id) !== u.online).map((u) => `${u.name} in Redis`);
      const shown = this.ledger.devices.filter((d) => d.device.up && !d.device.frozen && d.shows !== d.peer.online);
      return [...wrong, ...shown.map((d) => `${d.peer.name} at ${d.name}`)];
    } finally {
      await redis.disconnect();
    }
  }

  // What the workers still have to do: gauges that are not 0.
  async busy() {
    const all = await Promise.all(this.living.map((h) => h.status()));
    return all.flatMap((s) => s.slots.flatMap((slot) => DOWN.filter((k) => slot.stats[k] > 0).map((k) => `${k}=${slot.stats[k]}`)));
  }

  // What the hosts know of messages that the findings name.
  async explain(findings) {
    const ids = new Set(findings.join(' ').match(/\b[0-9a-f]{24}\b/g));
    for (const id of ids) {
      for (const h of this.living) {
        const text = await h.ctl('explain', id).catch((err) => `${err.stderr}`);
        appendFileSync(join(this.dir, 'explain.log'), `${h.name}: ${text}\n`);
      }
    }
  }

  // Everything ends; in order, when all is well.
  async close() {
    for (const s of this.senders) s.close();
    for (const d of this.ledger.devices) d.device.close();
    for (const b of this.balancers) b.close();
    try {
      for (const h of this.hosts) await h.stop();
      await this.reader?.stop();
    } finally {
      for (const h of this.hosts) if (!h.program.exit) await h.kill();
      if (this.reader?.running) await this.reader.kill();
      await this.servers?.stop();
    }
  }
}
