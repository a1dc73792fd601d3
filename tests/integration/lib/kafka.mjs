// A real Apache Kafka of a test's own: killed and started again at will, on the
// same port and with its data.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import kafkajs from 'kafkajs';
import { eventually, withDeadline } from './wait.mjs';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, Partitioners, ResourcePatternTypes, logLevel } = kafkajs;
const program = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../../lib/kafka');
export const PASSWORD = 'correct-horse';	// that the user begins with
const START = 120000;	// a JVM on a busy machine; and the first ever fetches it

const brokers = new Set();
process.on('exit', () => { for (const b of brokers) b.remove(); });

export class Broker {
  // Serving, and empty. makesTopics: those that are asked for. secure: with tls and
  // sasl, host:port of its places for TLS, and for TLS and user pairwire with PASSWORD.
  static async start({ makesTopics = true, secure = false } = {}) {
    const b = new Broker();
    b.env = { ...process.env, PW_TEST_KAFKA_CREATE: String(makesTopics), PW_TEST_KAFKA_SECURE: String(secure) };
    b.dir = mkdtempSync(join(tmpdir(), 'pw-kafka.'));
    brokers.add(b);
    await b.restart();
    if (secure) {
      b.ca = join(b.dir, 'ca.pem');
      [b.tls, b.sasl] = readFileSync(join(b.dir, 'secure'), 'utf8').trim().split(' ');
    }
    return b;
  }

  // After kill(), or at first: resolves when it serves.
  async restart() {
    this.process = spawn(program, ['run', this.dir], { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.ended = new Promise((done) => { this.process.once('exit', done); });
    const said = [];
    const serves = new Promise((done, fail) => {
      for (const stream of [this.process.stdout, this.process.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          if (said.push(line) > 40) said.shift();
          if (line.includes('Kafka Server started')) done();
        });
      }
      this.ended.then(() => fail(new Error(`Kafka ended:\n${said.join('\n')}`)));
    });
    serves.catch(() => {});	// it may end later
    await withDeadline(serves, START, 'Kafka');
    this.address = readFileSync(join(this.dir, 'address'), 'utf8').trim();
    this.url = `kafka://${this.address}`;
  }

  async kill(signal = 'SIGKILL') {
    this.process.kill(signal);
    await this.ended;
  }

  // As a machine that hangs: connections stay.
  freeze() { this.process.kill('SIGSTOP'); }

  thaw() { this.process.kill('SIGCONT'); }

  async stop() {
    await this.kill();
    this.remove();
  }

  remove() {
    this.process?.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
    brokers.delete(this);
  }

  // The user's password from now on, of new connections.
  async setPassword(password) {
    await promisify(execFile)(program, ['password', this.dir, password], { env: this.env });
  }

  #acls(what) {
    return what.map(([resourceType, resourceName, operation]) => ({
      resourceType: AclResourceTypes[resourceType], resourceName, resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: 'User:pairwire', host: '*', operation: AclOperationTypes[operation], permissionType: AclPermissionTypes.ALLOW,
    }));
  }

  // What the user may do: ['TOPIC', 'name', 'WRITE'], ...
  async allow(...what) {
    await this.#with(this.#client().admin(), (admin) => admin.createAcls({ acl: this.#acls(what) }));
  }

  async forbid(...what) {
    await this.#with(this.#client().admin(), (admin) => admin.deleteAcls({ filters: this.#acls(what) }));
  }

  async deleteTopic(topic) {
    await this.#with(this.#client().admin(), (admin) => admin.deleteTopics({ topics: [topic] }));
  }

  #client() {
    return new Kafka({ brokers: [this.address], logLevel: logLevel.NOTHING, retry: { retries: 20, initialRetryTime: 50, maxRetryTime: 1000 } });
  }

  async #with(part, fn) {
    await part.connect();
    try { return await fn(part); } finally { await part.disconnect(); }
  }

  async createTopic(topic, numPartitions = 4) {
    await this.#with(this.#client().admin(), (admin) => admin.createTopics({
      waitForLeaders: true, topics: [{ topic, numPartitions, replicationFactor: 1 }],
    }));
  }

  // messages: [{ key, value, headers }]; objects become JSON.
  async produce(topic, messages) {
    const producer = this.#client().producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await this.#with(producer, () => producer.send({
      topic, acks: -1,
      messages: messages.map((m) => ({ ...m, value: typeof m.value === 'object' ? JSON.stringify(m.value) : m.value })),
    }));
  }

  // All there is now: [{ partition, offset, key, value, headers }], texts.
  async read(topic) {
    const client = this.#client();
    // kafkajs tries again by itself, but not when the broker that it is connected
    // to hangs up: then it stumbles over the answer that it has not got
    const ends = await eventually((note) => this.#with(client.admin(), async (admin) =>
      ((await admin.listTopics()).includes(topic) ? admin.fetchTopicOffsets(topic) : [])).catch((e) => note(e.message)),
    `how far ${topic} goes`);
    const left = new Map(ends.filter((e) => Number(e.high) > Number(e.low)).map((e) => [e.partition, Number(e.high)]));
    if (left.size === 0) return [];
    const found = [];
    const consumer = client.consumer({ groupId: `reader-${Date.now()}-${Math.random()}`, sessionTimeout: 10000, maxWaitTimeInMs: 100 });
    await this.#with(consumer, () => withDeadline(new Promise((done, fail) => {
      const text = (b) => (b === null || b === undefined ? null : b.toString());
      consumer.subscribe({ topic, fromBeginning: true }).then(() => consumer.run({
        autoCommit: false,
        eachMessage: async ({ partition, message: m }) => {
          const end = left.get(partition);
          if (end === undefined || Number(m.offset) >= end) return;
          found.push({
            partition, offset: Number(m.offset), key: text(m.key), value: text(m.value),
            headers: Object.fromEntries(Object.entries(m.headers ?? {}).map(([k, v]) => [k, text(v)])),
          });
          if (Number(m.offset) + 1 === end) left.delete(partition);
          if (left.size === 0) done();
        },
      })).catch(fail);
    }), 30000, `the end of ${topic}`));
    return found;
  }

  // How many messages a group has not committed.
  async lag(group, topic) {
    return this.#with(this.#client().admin(), async (admin) => {
      const [of] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      const committed = new Map(of.partitions.map((p) => [p.partition, Number(p.offset)]));
      const ends = await admin.fetchTopicOffsets(topic);
      return ends.reduce((n, e) => n + Number(e.high) - Math.max(committed.get(e.partition) ?? 0, Number(e.low)), 0);
    });
  }

  // What a group has committed: [{ partition, offset }], -1: nothing.
  async committed(group, topic) {
    const [of] = await this.#with(this.#client().admin(), (admin) => admin.fetchOffsets({ groupId: group, topics: [topic] }));
    return of.partitions.map((p) => ({ partition: p.partition, offset: Number(p.offset) }));
  }
}
