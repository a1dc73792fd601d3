// Many come back at once to many large messages: what a worker reads and holds for
// them does not grow with their number, and nothing is read again and again.
import assert from 'node:assert/strict';
import { suite } from '../integration/lib/cluster.mjs';
import { cpuSeconds, memory, memoryPeak } from './lib/process.mjs';

const USERS = 24;
const EACH = 100;
const CONTENT = 64 * 1024;
// Of the 150 MiB that wait: for each user a quarter of outbox_limit and a message, some
// copies of that, and what is on its way.
const MAX_GROWTH = 48 * 2 ** 20;
const MAX_CPU_S = 1.2;

const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

// Users with what they were sent while they were away.
async function absent(c) {
  const from = await c.user();
  const { rows } = await c.pg.query(`WITH u AS (INSERT INTO users (id, first_name) SELECT gen_random_uuid(), 'Bob' FROM generate_series(1, $1) RETURNING id)
    INSERT INTO matches (id, user_a_id, user_b_id) SELECT gen_random_uuid(), $2, u.id FROM u RETURNING id AS match, user_b_id AS user`, [USERS, from]);
  const start = (Date.now() - 3600e3) * 1000;
  await c.pg.query(`INSERT INTO messages (id, match_id, sender_id, recipient_id, content, type, pos, src, sent_at, owe, chg)
    SELECT lpad(to_hex(m.nth * 1000 + k), 24, '0'), m.match, $1, m.user, repeat('x', $2), 'text', $3::bigint + k * 1000, 'test:0:1',
      to_timestamp(($3::bigint + k * 1000) / 1e6), 0, $3::bigint + k * 1000
    FROM unnest($4::text[], $5::text[]) WITH ORDINALITY AS m (match, "user", nth), generate_series(0, $6::int - 1) k`,
  [from, CONTENT, start, rows.map((r) => r.match), rows.map((r) => r.user), EACH]);
  await c.pg.query('ANALYZE messages');
  return rows.map((r) => r.user);
}

await suite({ server: { workers: 1 }, chat: { content_max: CONTENT }, engine: { max_payload: 4 * CONTENT } }, {
  async 'large messages of many who come back'(c) {
    const users = await absent(c);
    const { pid } = (await c.status()).slots[0];
    const before = memory(pid).rss;
    const cpu = cpuSeconds(pid);
    const clients = await Promise.all(users.map((u) => c.connect(u)));
    await Promise.all(clients.map((client) => client.gotMany(EACH, 'message:new')));
    const grown = memoryPeak(pid) - before;
    const worked = cpuSeconds(pid) - cpu;
    for (const client of clients) {
      const got = client.all('message:new');
      assert.equal(new Set(got.map((m) => m.id)).size, EACH);
      assert.deepEqual(got.map((m) => m.sentAt), got.map((m) => m.sentAt).sort());
    }
    console.log(`figure: ${USERS} users with ${EACH} messages of ${CONTENT} bytes: the worker grew by ${mib(grown)} and had ${worked.toFixed(2)} s of CPU time`);
    assert.ok(grown < MAX_GROWTH, `grew by ${mib(grown)}`);
    assert.ok(worked < MAX_CPU_S, `${worked} s`);
  },
});
