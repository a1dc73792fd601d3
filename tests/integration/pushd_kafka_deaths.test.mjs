// Workers, a real Kafka and pushds of one group, and each of them dying under
// load: every message notifies each device of its recipient, and once, but for
// what was with a provider at the instant of a kill.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after } from 'node:test';
import { Cluster } from './lib/cluster.mjs';
import { Broker } from './lib/kafka.mjs';
import { pushSuite } from './lib/pushd.mjs';
import { Relay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

const TOPIC = 'push_notifications';
const PARTITIONS = 4;
const slow = Number(process.env.PW_TEST_SLOW || 1);
const SESSION = 15000 * slow;	// longer than a busy machine stands still
const TAKEOVER = SESSION + 30000;
const COMMIT = 1000;	// what has its outcome is committed this often
const MARK = 1000;	// what a device had is marked within this, while another waits
const STILL = 4000 * slow;	// of a busy machine
const PEOPLE = 24;
const KINDS = [['fcm'], ['apns'], ['fcm', 'apns']];	// devices of a person
const EVERY = 20;	// ms from one message to the next

const broker = await Broker.start();
after(() => broker.stop());
await broker.createTopic(TOPIC, PARTITIONS);
// what was owed while the broker was away is queued a delivery_timeout after its return
const chat = await Cluster.start({ push: { push_queue_url: broker.url }, chat: { delivery_timeout: '1s' } });
const redis = await Relay.to(process.env.PW_TEST_REDIS_HOST, process.env.PW_TEST_REDIS_PORT);
after(() => redis.close());

const messageOf = (r) => (r.message?.data ?? r.body).messageId;
const nameOf = (message, token) => `${message} ${token}`;

// Somebody writes to people who are away, steadily, until told to stop.
class Load {
  sent = [];	// { id, devices }
  #asked = [];
  #turn = 0;

  static async start(w) {
    const load = new Load();
    const writer = await w.chat.user();
    load.w = w;
    load.people = await Promise.all(Array.from({ length: PEOPLE }, async (_, i) => {
      const user = await w.chat.user('Bob');
      const devices = await Promise.all(KINDS[i % KINDS.length].map((provider) => w.device(user, provider)));
      return { match: await w.chat.match(writer, user), devices };
    }));
    load.client = await w.chat.connect(writer);
    load.timer = setInterval(() => load.#send(), EVERY);
    return load;
  }

  #send() {
    const { match, devices } = this.people[this.#turn++ % PEOPLE];
    const content = `content ${randomUUID()}`;
    this.w.texts.add(content);
    this.#asked.push(this.client.send(match, content).then(({ messageId }) => this.sent.push({ id: messageId, devices })));
  }

  // Until n more were accepted.
  async more(n) {
    const want = this.sent.length + n;
    await eventually(() => this.sent.length >= want, `${n} more messages`);
  }

  async stop() {
    clearInterval(this.timer);
    await Promise.all(this.#asked);
    this.client.close();
  }

  // Of each message and device the requests, in order of arrival.
  requests() {
    const all = new Map(this.sent.flatMap(({ id, devices }) => devices.map((d) => [nameOf(id, d.token), []])));
    for (const r of [...this.w.fcm.requests, ...this.w.apns.requests]) all.get(nameOf(messageOf(r), r.token))?.push(r);
    return all;
  }

  // Those that Redis knows to have had it.
  async marked() {
    const had = await Promise.all(this.sent.map(async ({ id, devices }) => {
      const ids = await this.w.redis.sMembers(`pw:pd:${id}`);
      return devices.filter((d) => ids.includes(d.id)).map((d) => nameOf(id, d.token));
    }));
    return new Set(had.flat());
  }

  // Ends when all was shown, and is done with. -> what was asked for more than once
  async arrives(ms = 30000) {
    await this.stop();
    await eventually((note) => {
      const left = [...this.requests().values()].filter((all) => !all.some((r) => r.shown));
      note(left.length);
      return left.length === 0;
    }, 'every message on every device', ms);
    await eventually(async (note) => {
      const lag = await broker.lag('pushd', TOPIC);
      note(lag);
      return lag === 0;
    }, 'everything committed');
    return [...this.requests()].filter(([, all]) => all.length > 1).map(([name, all]) => ({ name, all }));
  }
}

// Partitions that a pushd has, by its log since it started.
function partitions(d) {
  const log = d.log.slice(d.log.lastIndexOf('ready: '));
  const sum = (pattern) => [...log.matchAll(pattern)].reduce((n, m) => n + Number(m[1]), 0);
  return sum(/kafka: got (\d+) part/g) - sum(/kafka: (?:gave back|lost) (\d+) part/g);
}

// Two pushds, each with its half. -> them
async function both(w) {
  if (w.daemons.length < 2) await w.start();
  for (const d of w.daemons) if (d.exit) await d.start();
  await eventually((note) => {
    const have = w.daemons.map(partitions);
    note(have);
    return have.every((n) => n === PARTITIONS / 2);
  }, 'a half for each', TAKEOVER);
  return w.daemons;
}

const conf = {
  push: { push_queue_url: `${broker.url}/${TOPIC}` },
  pushd: { pushd_lease: `${SESSION}ms`, push_timeout: '30s' },
  redis: { redis_port: redis.port },
};

await pushSuite(conf, {
  async 'the broker is killed, and comes back: each device is notified, and once'(w) {
    await both(w);
    const load = await Load.start(w);
    await load.more(100);
    await broker.kill();
    await load.more(50);
    await broker.restart();
    await load.more(50);
    assert.deepEqual(await load.arrives(60000), []);
  },

  async 'one of two is killed: the other takes over, and repeats what was in flight'(w, t) {
    const [one, two] = await both(w);
    const load = await Load.start(w);
    await load.more(50);
    // what waits for APNs keeps the offsets of what FCM has taken from being committed
    const release = w.apns.hold();
    const before = await load.marked();
    await load.more(50);
    await eventually(async () => (await load.marked()).size >= before.size + 40, 'marks of what FCM has taken');
    const recognised = await two.metric('repeats_total');
    await one.end('SIGKILL');
    const killed = Date.now();
    const marked = await load.marked();
    release();
    await load.more(50);
    const repeated = await load.arrives(TAKEOVER);
    assert.ok(repeated.length > 0, 'nothing was in flight');
    for (const { name, all } of repeated) {
      assert.ok(!marked.has(name), `${name} had its mark`);
      assert.ok(all[0].at <= killed && !(killed - all[0].answeredAt > MARK * slow + STILL), `${name} was answered ${killed - all[0].answeredAt} ms before the end`);
      assert.equal(all.length, 2);
    }
    const known = await two.metric('repeats_total') - recognised;
    t.diagnostic(`${load.requests().size} notifications, ${repeated.length} in flight at the kill and repeated, ${known} repeats recognised`);
    assert.ok(known > 0, 'no mark was needed');
    assert.equal(partitions(two), PARTITIONS);
  },

  async 'one of two is told to stop: it finishes what it has, and nothing is repeated'(w) {
    const [one, two] = await both(w);
    w.fcm.latency = w.apns.latency = 300;
    const load = await Load.start(w);
    await load.more(50);
    assert.ok(await one.metric('in_flight') > 0);
    assert.deepEqual(await one.end(), { code: 0, signal: null });
    await load.more(50);
    assert.deepEqual(await load.arrives(TAKEOVER), []);
    assert.equal(partitions(two), PARTITIONS);
  },

  async 'one of two is restarted within its session: nobody else notices'(w) {
    const [one, two] = await both(w);
    const since = one.mark();
    const load = await Load.start(w);
    await load.more(50);
    await two.end();
    const ended = Date.now();
    await two.start();
    await eventually(() => partitions(two) === PARTITIONS / 2, 'its half', TAKEOVER);
    const ms = Date.now() - ended;
    assert.ok(ms < SESSION * 2 / 3, `its half after ${ms} ms: it had to wait for the end of its former self`);
    await load.more(50);
    assert.deepEqual(await load.arrives(), []);
    assert.doesNotMatch(since(), /kafka: (got|gave back|lost)/);
  },

  async 'what cannot be read is put aside, what is too late left out, and its partition goes on'(w) {
    await both(w);
    const people = await Promise.all(Array.from({ length: 3 }, () => w.owner()));
    const [first, late, last] = people.map((d) => w.event(d.user));
    late.expiresAt = new Date(Date.now() - 1000).toISOString();
    const sum = async () => (await Promise.all(w.daemons.map((d) => d.metric('events_expired_total')))).reduce((n, v) => n + v);
    const expired = await sum();
    const poison = ['not JSON', '{"v":1,"type":"new_message"}'];
    await broker.produce(TOPIC, [first, poison[0], late, poison[1], last].map((value, i) => ({ key: `key ${i}`, value, partition: 1 })));
    await w.wasShown(people[2]);
    assert.deepEqual(people.map((d) => w.sent(d).length), [1, 0, 1]);
    assert.equal(await sum() - expired, 1);
    await eventually(async () => await broker.lag('pushd', TOPIC) === 0, 'everything committed');
    const dead = await broker.read(`${TOPIC}.dlq`);
    assert.deepEqual(dead.map((m) => m.value).sort(), [...poison].sort());
    for (const m of dead) {
      assert.equal(m.key, `key ${poison.indexOf(m.value) * 2 + 1}`);
      assert.match(m.headers.reason, /./);
      assert.match(m.headers.source, new RegExp(`^${TOPIC}/1/\\d+$`));
      assert.equal(m.headers.attempts, '0');
      assert.ok(Math.abs(Date.parse(m.headers.time) - Date.now()) < 60000, m.headers.time);
    }
  },

  async 'one of two is killed while Redis is away: nothing is lost'(w, t) {
    const [one, two] = await both(w);
    const load = await Load.start(w);
    await load.more(50);
    redis.cut();
    await load.more(300);	// longer than the bound below
    await one.end('SIGKILL');
    const killed = Date.now();
    await load.more(50);
    const repeated = await load.arrives(TAKEOVER);
    for (const { name, all } of repeated) assert.ok(all[0].at > killed - COMMIT * slow - STILL, `${name} was sent ${killed - all[0].at} ms before the end`);
    t.diagnostic(`${load.requests().size} notifications, ${repeated.length} repeated without marks`);
    redis.mend();
    await eventually(async () => await two.metric('redis_up') === 1, 'Redis back');
    await both(w);
    const next = await Load.start(w);
    await next.more(50);
    assert.deepEqual(await next.arrives(), []);
  },
}, { chat });
