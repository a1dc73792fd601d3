// pairwirectl check with a push queue on a real Kafka.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { suite } from './lib/cluster.mjs';
import { Broker } from './lib/kafka.mjs';
import { eventually } from './lib/wait.mjs';

const TOPIC = 'push_notifications';
const broker = await Broker.start({ makesTopics: false });
after(() => broker.stop());
await broker.createTopic(TOPIC);

async function queue(c) {
  const text = await c.ctl('check', '--json').catch((err) => err.stdout);
  return JSON.parse(text).checks.find((r) => r.name === 'push queue');
}

// Once the broker has answered in time, which on a busy machine it may not.
const answered = (c) => eventually(async (note) => {
  const row = await queue(c);
  note(row.text);
  return !/^(does not answer$|no answer within )/.test(row.text) && row;
}, 'an answer');

await suite({
  redis: { redis_timeout: '3s' },	// Kafka's, too
  push: { push_queue_url: broker.url },
}, {
  async 'the topic is there'(c) {
    assert.deepEqual(await answered(c), { name: 'push queue', ok: true, text: `Kafka answers, topic ${TOPIC}, min.insync.replicas 1`, todo: '' });
  },

  async 'another topic, which this broker does not make by itself'(c) {
    const far = await c.anotherHost({ push: { push_queue_url: `${broker.url}/other` } });
    try {
      for (let i = 0; i < 2; i++)
        assert.deepEqual(await answered(far), { name: 'push queue', ok: false, text: 'Kafka answers, and has no topic other', todo: 'kafka-topics.sh --create --topic other' });
      await broker.createTopic('other');
      const text = await eventually(async (note) => {
        const row = await answered(far);
        note(row);
        return row.ok && row.text;
      }, 'the topic');
      assert.equal(text, 'Kafka answers, topic other, min.insync.replicas 1');
    } finally {
      await far.stop();
    }
  },

  async 'a broker that hangs, and one that is gone'(c) {
    const bad = async () => {
      const row = await queue(c);
      assert.equal(row.ok, false);
      assert.match(row.text, /^(not reachable(: .*)?$|does not answer$|no answer within )/);
      if (!row.text.startsWith('no answer')) assert.match(row.todo, /push_queue_url/);
    };
    broker.freeze();
    await bad();
    await broker.kill();
    await bad();
  },
});
