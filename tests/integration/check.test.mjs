// pairwirectl check: what it says when all is well, and of each thing that is not.
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { MongoClient } from 'mongodb';
import { suite } from './lib/cluster.mjs';
import { Relay } from './lib/relay.mjs';
import { KIND } from './lib/store.mjs';
import { eventually } from './lib/wait.mjs';

// Of this host's limits nothing is known here: they may want something done.
async function rows(c) {
  const text = await c.ctl('check', '--json').catch((err) => { assert.equal(err.code, 1); return err.stdout; });
  const { ok, checks } = JSON.parse(text);
  assert.equal(ok, checks.every((r) => r.ok));
  for (const r of checks) {
    assert.deepEqual(Object.keys(r), ['name', 'ok', 'text', 'todo']);
    assert.equal(r.ok, r.todo === '', JSON.stringify(r));
  }
  return Object.fromEntries(checks.map((r) => [r.name, r]));
}

const BACKENDS = ['redis', 'directory database', 'notifications', 'message store', 'push queue'];

await suite({}, {
  async 'all is well'(c) {
    const all = await rows(c);
    for (const name of ['pairwire', ...BACKENDS]) assert.ok(all[name].ok, JSON.stringify(all[name]));
    assert.equal(all.pairwire.text, '2 of 2 serve');
    assert.match(all.redis.text, /^\d+\.\d+\.\d+, \d+\.\d ms$/);
    assert.match(all['directory database'].text, /^PostgreSQL \d+\.\d+; schema 1 is there and announces changes$/);
    assert.match(all['message store'].text, /^(PostgreSQL|MongoDB) [\d.]+, (table and )?indexes are there$/);
    assert.match(all['push queue'].text, /^Redis \d+\.\d+\.\d+, \d+\.\d ms; \d+ of at most 1000000 events wait$/);
    for (const name of ['descriptor limit', 'somaxconn', 'workers', 'memory', 'run_dir', 'control socket']) assert.ok(name in all, name);
    const bad = Object.values(all).filter((r) => !r.ok);
    const text = await c.ctl('check').catch((err) => { assert.equal(err.code, 1); return err.stdout; });
    const lines = text.trimEnd().split('\n');
    assert.equal(lines.length, Object.keys(all).length);
    assert.equal(lines.filter((l) => l.startsWith('FIX  ')).length, bad.length);
    assert.match(lines[1], /^ok {3}redis +\d/);
  },

  async 'settings of Redis that lose data'(c) {
    await c.redis.configSet({ maxmemory: '512mb', 'maxmemory-policy': 'allkeys-lru' });
    try {
      const all = await rows(c);
      for (const name of ['redis', 'push queue']) {
        assert.match(all[name].text, /maxmemory-policy allkeys-lru/);
        assert.match(all[name].todo, /noeviction/);
      }
      const shown = await c.ctl('check').catch((err) => err.stdout);
      assert.match(shown, /^FIX {2}redis .*allkeys-lru.*: CONFIG SET maxmemory-policy noeviction/m);
    } finally {
      await c.redis.configSet({ maxmemory: '0', 'maxmemory-policy': 'noeviction' });
    }
    await c.redis.configSet('client-output-buffer-limit', 'pubsub 1048576 0 0');
    try {
      assert.match((await rows(c)).redis.todo, /client-output-buffer-limit/);
    } finally {
      await c.redis.configSet('client-output-buffer-limit', 'pubsub 33554432 8388608 60');
    }
    assert.ok((await rows(c)).redis.ok);
  },

  async 'the app\'s database: columns, triggers, rights, versions'(c) {
    const check = async () => (await rows(c))['directory database'];
    const cases = [
      ['ALTER TABLE users RENAME COLUMN last_seen TO x', /no column users\.last_seen/, /add them/, 'ALTER TABLE users RENAME COLUMN x TO last_seen'],
      ['ALTER TABLE matches DISABLE TRIGGER pairwire_change', /changes of matches are not announced/, /pairwire_watch_matches/, 'ALTER TABLE matches ENABLE TRIGGER pairwire_change'],
      ['DROP TRIGGER pairwire_rows ON users', /changes of users/, /pairwire_watch_users/, 'SELECT pairwire_watch_users(\'users\')'],
      ['DROP INDEX matches_user_b', /no index on matches \(user_b_id\)/, /CREATE INDEX/, 'CREATE INDEX matches_user_b ON matches (user_b_id)'],
      ['DELETE FROM pairwire_schema', /schema 0 of 1/, /pairwire-migrate/, 'INSERT INTO pairwire_schema VALUES (1)'],
      ['ALTER TABLE pairwire_schema RENAME TO y', /schema 0 of 1/, /pairwire-migrate/, 'ALTER TABLE y RENAME TO pairwire_schema'],
    ];
    for (const [sql, text, todo, undo] of cases) {
      await c.pg.query(sql);
      const row = await check();
      assert.match(row.text, text);
      assert.match(row.todo, todo);
      await c.pg.query(undo);
    }
    assert.ok((await check()).ok);
    // the app's own table behind a view
    await c.pg.query('ALTER TABLE matches RENAME TO base; CREATE VIEW matches AS SELECT * FROM base');
    assert.ok((await check()).ok);
    await c.pg.query('DROP TRIGGER pairwire_change ON base');
    assert.match((await check()).text, /changes of matches/);
  },

  async 'the message store: an index is missing'(c) {
    if (KIND !== 'pg') {
      const mongo = await new MongoClient(c.store.url).connect();
      const messages = mongo.db().collection('messages');
      await messages.dropIndex('matchId_1_sentAt_1__id_1');
      const row = (await rows(c))['message store'];
      assert.match(row.text, /^MongoDB [\d.]+; no index matchId_1_sentAt_1__id_1$/);
      const [, keys] = row.todo.match(/^db\.messages\.createIndex\((.*)\)$/);
      await messages.createIndex(JSON.parse(keys));
      await mongo.close();
      assert.ok((await rows(c))['message store'].ok);
      return;
    }
    await c.pg.query('DROP INDEX messages_owe_idx');
    const row = (await rows(c))['message store'];
    assert.match(row.text, /no index messages_owe_idx/);
    assert.equal(row.todo, 'CREATE INDEX CONCURRENTLY messages_owe_idx ON messages (owe) WHERE owe <> 0');
    await c.pg.query(row.todo);
    assert.ok((await rows(c))['message store'].ok);
  },

  async 'a configuration that everybody may read'(c) {
    chmodSync(c.file, 0o644);
    assert.deepEqual((await rows(c)).configuration, { name: 'configuration', ok: false, text: `${c.file}, mode 0644: open to every user of this host`, todo: `chmod o= ${c.file}` });
    chmodSync(c.file, 0o640);
    assert.ok((await rows(c)).configuration.ok);
  },

  async 'a backend that is away, and one that hangs'(c) {
    const relay = await Relay.to(process.env.PW_TEST_REDIS_HOST, process.env.PW_TEST_REDIS_PORT);
    const far = await c.anotherHost({ redis: { redis_host: '127.0.0.1', redis_port: relay.port, redis_timeout: '2s' } });
    relay.cut();
    await eventually(async () => (await far.status()).slots.every((s) => s.stats.redis_up === 0), 'Redis is away');
    const all = await rows(far);
    assert.deepEqual(all.redis, { name: 'redis', ok: false, text: 'not reachable', todo: 'see that it runs, and redis_host, redis_port, redis_password in the configuration' });
    assert.ok(all['message store'].ok);
    relay.mend();
    await far.ready();
    relay.freeze();
    assert.match((await rows(far)).redis.text, /^(does not answer|not reachable)$/);
    await far.stop();
    relay.close();
  },
});
