// A Kafka that wants TLS and SASL, and allows what its ACLs say; and one whose topic
// goes. What is wrong is said in one line by worker and pushd each, is seen in the
// gauges and by pairwirectl check, and is over by itself when it is mended.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { Cluster } from './lib/cluster.mjs';
import { Broker, PASSWORD } from './lib/kafka.mjs';
import { DEAD_LETTER, pushSuite, STREAM as TOPIC } from './lib/pushd.mjs';
import { eventually } from './lib/wait.mjs';

const OTHER = 'battery-staple';
const LONG = 60000;	// librdkafka looks again each 10 s, and we each 8 s

const broker = await Broker.start({ makesTopics: false, secure: true });
after(() => broker.stop());
await broker.createTopic(TOPIC);
await broker.createTopic(DEAD_LETTER, 1);
// what a worker needs, and what a pushd needs
const PRODUCE = [['TOPIC', TOPIC, 'WRITE']];
const CONSUME = [['TOPIC', TOPIC, 'READ'], ['GROUP', 'pushd', 'READ'], ['TOPIC', DEAD_LETTER, 'WRITE']];
await broker.allow(...PRODUCE, ...CONSUME);

const url = (place, properties) => `kafka://${place}?${new URLSearchParams(properties)}`;
const tls = { 'security.protocol': 'ssl', 'ssl.ca.location': broker.ca };
const sasl = {
  ...tls, 'security.protocol': 'sasl_ssl', 'sasl.mechanisms': 'SCRAM-SHA-256', 'sasl.username': 'pairwire', 'sasl.password': PASSWORD,
};

const chat = await Cluster.start({
  server: { workers: 1 },
  chat: { offline_grace: '500ms', delivery_timeout: '1s' },
  redis: { redis_timeout: '5s' },	// Kafka's, too
  push: { push_queue_url: url(broker.sasl, sasl) },
});
after(async () => { if (!chat.exit) await chat.stop(); });
const ann = await chat.user('Ann');
const bob = await chat.user('Bob');
const match = await chat.match(ann, bob);

const workerLog = () => readFileSync(chat.log, 'utf8');
const mark = (log) => { const from = log().length; return () => log().slice(from); };
const marks = (w) => [mark(workerLog), w.daemon.mark()];
const seen = (since, pattern) => eventually(() => pattern.test(since()), `${pattern}`, LONG);
// A change is said once, however often it is refused: again only when it was said to be
// over, which one may believe whom nothing answers for seconds.
function once(since, pattern) {
  let told = 0;
  let open = false;
  for (const line of since().split('\n')) {
    if (/kafka: (connected again|events are taken again|the topic can be read)/.test(line)) open = false;
    if (!pattern.test(line)) continue;
    assert.ok(!open, `${pattern}, and again: ${line}`);
    open = true;
    told++;
  }
  assert.ok(told > 0, `${pattern}`);
}

// The line of one that does not get there.
const unreached = (why) => new RegExp(`warning .*kafka: (cannot be reached|lost): .*${why.source}`);

const pushUp = (up) => eventually(async (note) => {
  const status = await chat.status().catch(() => undefined);
  note(status?.slots.map((s) => s.stats.push_up));
  return status?.slots.every((s) => s.stats.push_up === up);
}, `push_up ${up}`, LONG);

const queueUp = (d, up) => eventually(async (note) => {
  const response = await fetch(`${d.url}/readyz`);
  const text = await response.text();
  note(text);
  return up ? response.ok : text === 'backend=queue state=down\n' && await d.metric('queue_up') === 0;
}, `queue_up ${up}`, LONG);

// undefined: nobody answered.
async function check() {
  const text = await chat.ctl('check', '--json').catch((err) => err.stdout);
  return text ? JSON.parse(text).checks.find((r) => r.name === 'push queue') : undefined;
}

const checked = (ok, pattern) => eventually(async (note) => {
  const row = await check();
  note(row);
  return row?.ok === ok && pattern.test(`${row.text}: ${row.todo}`);
}, `check says ${pattern}`, LONG);

// A message to one who is away. Ends when it is stored.
async function send(text) {
  const client = await chat.connect(ann);
  await client.send(match, text);
  client.close();
}

let device;
const isShown = (w, n = 1) => w.wasShown(device, n, LONG);	// since the test began

const conf = { push: { push_queue_url: url(broker.sasl, sasl) }, redis: { redis_timeout: '8s' } };

await pushSuite(conf, {
  async 'by TLS and SASL a message becomes a push, and nobody sees the password'(w) {
    device = await w.device(bob);
    await send('one');
    await isShown(w);
    await checked(true, new RegExp(`^Kafka answers, topic ${TOPIC}, whose settings its user may not see: $`));
    const [{ pid }] = (await chat.status()).slots;
    const said = [await chat.ctl('config'), ...[chat.master.pid, pid, w.daemon.process.pid].map((p) => readFileSync(`/proc/${p}/cmdline`, 'latin1'))];
    assert.ok(said[0].includes('push_queue_url'));
    for (const text of said) assert.ok(!text.includes(PASSWORD), text);
  },

  async 'what does not fit the place is one line, that says what to see to'(w) {
    const { 'ssl.ca.location': ca, ...noCa } = sasl;
    const rows = [
      [url(broker.sasl, noCa), unreached(/certificate verify failed.*; see ssl\.ca\.location in push_queue_url/)],
      [url(broker.address, sasl), unreached(/SSL handshake failed.*; see security\.protocol in push_queue_url/)],
      [url(broker.sasl, {}), unreached(/Disconnected while requesting ApiVersion.*; see security\.protocol in push_queue_url/)],
      [url(broker.sasl, tls), unreached(/might require SASL authentication; see security\.protocol in push_queue_url/)],
      [url(broker.sasl, { ...sasl, 'sasl.mechanisms': 'PLAIN' }), unreached(/supported mechanisms: SCRAM-SHA-256; see sasl\.username/)],
      [url(broker.sasl, { ...sasl, 'sasl.password': OTHER }), unreached(/invalid credentials.*; see sasl\.username, sasl\.password/)],
    ];
    const daemons = [];
    try {
      for (const [push_queue_url] of rows) daemons.push(await w.start({ push: { push_queue_url } }, { ready: false }));
      for (const [i, [, line]] of rows.entries()) {
        await daemons[i].logged(line, undefined, LONG);
        await queueUp(daemons[i], false);
      }
      for (const [i, [, line]] of rows.entries()) once(() => daemons[i].log, line);
    } finally {
      for (const d of daemons) await d.end('SIGKILL');
    }
    for (const { log } of daemons) assert.ok(!log.includes(PASSWORD) && !log.includes(OTHER), log);
    // in a group of its own, or it would keep partitions for a while
    const d = await w.start({ push: { push_queue_url: url(broker.tls, tls) }, pushd: { push_group: 'other' } });
    assert.deepEqual(await d.end(), { code: 0, signal: null });
  },

  async 'a password that is another when the broker is back'(w) {
    const since = marks(w);
    await broker.setPassword(OTHER);
    await broker.kill();
    await broker.restart();
    await send('two');
    const line = unreached(/invalid credentials.*; see sasl\.username, sasl\.password/);
    for (const log of since) await seen(log, line);
    await pushUp(0);
    await queueUp(w.daemon, false);
    await checked(false, /^not reachable: .*invalid credentials.*; see sasl\.username/);
    await broker.setPassword(PASSWORD);
    await isShown(w);
    await pushUp(1);
    await queueUp(w.daemon, true);
    for (const log of since) once(log, line);
  },

  async 'what is not allowed, until it is'(w) {
    const since = marks(w);
    await broker.forbid(...PRODUCE, ...CONSUME);
    await send('three');
    await seen(since[0], /kafka: events are not taken: .*authorization failed: its user must have WRITE on the topic/);
    await seen(since[1], /kafka: nothing is taken: .*authorization failed: its user must have READ on the topic and on the group/);
    await pushUp(0);
    await queueUp(w.daemon, false);
    await checked(false, /^Kafka answers, and takes no events: .*authorization failed: see that its user may WRITE to topic push_notifications/);
    await broker.allow(...CONSUME.slice(0, 2));
    await queueUp(w.daemon, true);
    // one that begins, and may write to no topic at all, is not even let begin
    const next = mark(workerLog);
    const [{ pid }] = (await chat.status()).slots;
    process.kill(pid, 'SIGKILL');
    await seen(next, /kafka: events are not taken: Broker: Cluster authorization failed: its user must have WRITE/);
    await pushUp(0);
    await checked(false, /^Kafka answers, and takes no events: Broker: Cluster authorization failed/);
    await broker.allow(...PRODUCE, ...CONSUME);
    await isShown(w);
    await pushUp(1);
    await checked(true, /^Kafka answers/);
    once(next, /events are not taken/);
    once(since[1], /nothing is taken: Broker: Topic authorization failed/);
  },

  async 'a topic that is deleted, and made again'(w) {
    await send('four');
    await isShown(w);
    const since = marks(w);
    await broker.deleteTopic(TOPIC);
    const line = new RegExp(`kafka: there is no such topic, so .* kafka-topics\\.sh --create --topic ${TOPIC}`);
    await seen(since[1], line);	// the broker knows, and cannot take it and lose it
    await send('five');
    await seen(since[0], line);
    await pushUp(0);
    await queueUp(w.daemon, false);
    await checked(false, new RegExp(`has no topic ${TOPIC}: kafka-topics\\.sh --create --topic ${TOPIC}`));
    await broker.createTopic(TOPIC);
    await isShown(w, 2);
    await pushUp(1);
    await queueUp(w.daemon, true);
    for (const log of since) once(log, line);
    await send('six');
    await isShown(w, 3);
    assert.ok((await chat.store.owes(match)).every((o) => o === 0));
  },
}, { chat, timeout: 240000 });	// Java starts three times in one
