// Redis, PostgreSQL and MongoDB of one row: private, at ports that stay the same
// when they are killed and started again.
import { execFile } from 'node:child_process';
import { accessSync, chownSync, constants, mkdirSync, readdirSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pg } from './packages.mjs';
import { eventually } from '../../integration/lib/wait.mjs';
import { freePort, Program } from './process.mjs';

const run = promisify(execFile);
const UP = 60000;

async function answers(port) {
  return new Promise((done) => {
    const s = connect(port, '127.0.0.1').once('error', () => done(false)).once('connect', () => { s.destroy(); done(true); });
  });
}

class Server {
  constructor(name, dir, log, port) { Object.assign(this, { name, dir, log, port }); }

  async start() {
    await eventually(async (note) => {
      if (!this.program || this.program.exit) {
        note(this.program?.exit);
        this.program = new Program(this.name, this.command(), { log: this.log, user: this.user });
      }
      return this.ready();
    }, `${this.name} (${this.log})`, UP);
    return this;
  }

  ready() { return answers(this.port); }
  kill() { return this.program.kill(); }
  freeze() { this.program.freeze(); }
  thaw() { this.program.thaw(); }
}

// Keeps nothing: empty when it comes back.
export class Redis extends Server {
  static async create(dir) {
    mkdirSync(join(dir, 'redis'));
    return new Redis('redis', join(dir, 'redis'), join(dir, 'redis.log'), await freePort()).start();
  }

  get url() { return `redis://127.0.0.1:${this.port}`; }

  command() {
    return ['redis-server', '--port', `${this.port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', this.dir];
  }
}

function pgProgram(name) {
  const root = '/usr/lib/postgresql';
  const [newest] = readdirSync(root).map(Number).sort((a, b) => b - a);
  return join(root, `${newest}`, 'bin', name);
}

// Whoever may not be root in PostgreSQL's eyes.
const POSTGRES = process.getuid() === 0 ? 'postgres' : undefined;

export class Postgres extends Server {
  user = POSTGRES;

  // An empty database cluster to copy: initdb takes its time.
  static async template(dir, log) {
    mkdirSync(dir);
    if (POSTGRES) {
      const id = Number((await run('id', ['-u', POSTGRES])).stdout);
      chownSync(dir, id, statSync(dir).gid);
    }
    const { exited } = new Program('initdb', [pgProgram('initdb'), '-D', join(dir, 'data'), '-A', 'trust',
      '-U', 'postgres', '-E', 'UTF8', '--no-locale', '-N', '--wal-segsize=1'], { log, user: POSTGRES });
    const { code } = await exited;
    if (code !== 0) throw new Error(`initdb: see ${log}`);
    return dir;
  }

  static async create(dir, template, name = 'postgres') {
    await run('cp', ['-a', template, join(dir, name)]);
    return new Postgres(name, join(dir, name), join(dir, `${name}.log`), await freePort()).start();
  }

  get url() { return `postgresql://postgres@127.0.0.1:${this.port}/postgres`; }

  command() {
    return [pgProgram('postgres'), '-D', join(this.dir, 'data'), '-p', `${this.port}`, '-k', this.dir,
      '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off', '-c', 'full_page_writes=off',
      '-c', 'max_connections=200', '-c', 'shared_buffers=32MB',
      // It is killed: what it had in /dev/shm would stay there.
      '-c', 'dynamic_shared_memory_type=mmap'];
  }

  async ready() {
    const client = new pg.Client({ connectionString: this.url, connectionTimeoutMillis: 2000 });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.end();
      return true;
    } catch {
      return false;
    }
  }
}

function onPath(name) {
  return process.env.PATH.split(':').some((dir) => {
    try { accessSync(join(dir, name), constants.X_OK); return true; } catch { return false; }
  });
}

// mongod, else FerretDB (its binary: PW_TEST_FERRETDB) on a PostgreSQL of its
// own, which is no part of the fault.
export class Mongo extends Server {
  starts = 0;

  static async create(dir, template) {
    mkdirSync(join(dir, 'mongo'));
    const s = new Mongo('mongo', join(dir, 'mongo'), join(dir, 'mongo.log'), await freePort());
    if (!onPath('mongod')) s.below = await Postgres.create(dir, template, 'ferretdb-postgres');
    return s.start();
  }

  get url() { return `mongodb://127.0.0.1:${this.port}/pairwire`; }

  command() {
    const dir = join(this.dir, `${++this.starts}`);
    if (!this.below) return ['mongod', '--dbpath', this.dir, '--bind_ip', '127.0.0.1', '--port', `${this.port}`];
    mkdirSync(dir);
    return [process.env.PW_TEST_FERRETDB, '-postgresql-url', `${this.below.url}?pool_max_conns=100`,
      '-listen', `127.0.0.1:${this.port}`, '-dir', dir, '-port-file', join(dir, 'port')];
  }
}

export async function startServers(dir, template, store) {
  const [redis, postgres, mongo] = await Promise.all([
    Redis.create(dir), Postgres.create(dir, template), store === 'mongo' ? Mongo.create(dir, template) : undefined,
  ]);
  const all = [redis, postgres, mongo, mongo?.below].filter(Boolean);
  return {
    redis, postgres, mongo,
    async stop() {
      // a stopped process takes no SIGTERM; and what is in them is of no more use
      for (const s of all.reverse()) await s.kill();
    },
  };
}
