// The configuration read again under people who chat, log levels on request, and
// the configuration shown: with real workers.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { suite } from './lib/cluster.mjs';
import { eventually } from './lib/wait.mjs';

const run = promisify(execFile);
const password = `pw-${randomBytes(9).toString('hex')}`;
const log = (c) => readFileSync(c.log, 'utf8');
const count = (c, what) => log(c).split(what).length - 1;

// What pairwirectl says; it must fail with this status.
async function refused(c, status, ...args) {
  try {
    await c.ctl(...args);
  } catch (err) {
    assert.equal(err.code, status);
    return err.stderr;
  }
  return assert.fail(`${args.join(' ')} was not refused`);
}

// Until it is stopped: n pairs of stock clients, each message confirmed. How many
// were sent.
async function chatting(c, n) {
  const left = [];
  const pairs = [];
  for (let i = 0; i < n; i++) {
    const { a, b, match } = await c.pair();
    const [ca, cb] = [await c.connect(a), await c.connect(b)];
    for (const client of [ca, cb]) client.socket.on('disconnect', (why) => left.push(why));
    pairs.push({ ca, cb, match, sent: 0 });
  }
  let on = true;
  const running = pairs.map(async (p) => {
    while (on) {
      const answer = await p.ca.send(p.match, `message ${++p.sent}`, { tempId: `t${p.sent}` });
      assert.ok(answer.messageId, JSON.stringify(answer));
    }
  });
  return async () => {
    on = false;
    await Promise.all(running);
    for (const p of pairs)
      await eventually(async () => p.cb.all('message:new').length === p.sent, `${p.sent} messages`);
    assert.deepEqual(left, []);
    return pairs.reduce((sum, p) => sum + p.sent, 0);
  };
}

await suite({}, {
  async 'ten times under people who chat: nobody is disconnected, nothing is lost'(c) {
    const stop = await chatting(c, 10);
    const before = await c.instances();
    for (let i = 0; i < 10; i++) {
      c.configure({ limits: { message_burst: 1000 + i } });
      if (i % 2) c.master.kill('SIGHUP');
      else assert.equal(await c.ctl('reload'), 'reloaded: message_burst\n');
      await eventually(async () => count(c, 'reloaded changed=message_burst') === 2 * (i + 1), 'both workers have it');
    }
    assert.ok(await stop() > 10);
    assert.deepEqual(await c.instances(), before);
  },

  async 'a mistake changes nothing and is named with its line'(c) {
    const stop = await chatting(c, 2);
    const good = readFileSync(c.file, 'utf8');
    const shown = await c.ctl('config');
    writeFileSync(c.file, `${good}\n[engine]\nping_timeout = soon\n`);
    const line = good.split('\n').length + 2;
    const mistake = `${c.file}:${line}: ping_timeout: "soon" is not a duration`;
    assert.ok((await refused(c, 1, '-s', `${c.dir}/control.sock`, 'reload')).startsWith(`pairwirectl: ${mistake}`));
    assert.ok(log(c).includes(`reload refused, nothing has changed: ${mistake}`));
    writeFileSync(c.file, good);
    assert.equal(await c.ctl('config'), shown);
    assert.equal(await c.ctl('reload'), 'nothing changed\n');
    await stop();
  },

  async 'by a unit whose credentials it may not read'(c) {
    process.env.CREDENTIALS_DIRECTORY = '/dev/null';
    try {
      assert.equal(await c.ctl('reload'), 'nothing changed\n');
    } finally {
      delete process.env.CREDENTIALS_DIRECTORY;
    }
  },

  async 'what waits is named, and comes with new workers'(c) {
    const { port } = c.settings.server;
    c.configure({ server: { port: 1 }, engine: { ping_interval: '3s' } });
    assert.equal(await c.ctl('reload'), 'waits for new workers (pairwirectl upgrade, or drain each slot): ping_interval\n'
      + 'waits for a restart of the service: port\n');
    const interval = async () => {
      const answer = await fetch(`${c.url}/socket.io/?EIO=4&transport=polling`, { headers: { connection: 'close' } });
      return JSON.parse((await answer.text()).slice(1)).pingInterval;
    };
    assert.equal(await interval(), 25000);
    for (const slot of ['0', '1']) await c.ctl('restart', slot);
    await eventually(async () => await interval() === 3000, 'the successors accept');
    assert.match(await c.ctl('config'), /it has changed since; changes with a restart\nport = 0\n/);
    c.configure({ server: { port } });
    assert.equal(await c.ctl('reload'), 'nothing changed\n');
  },

  async 'a worker that has no room for it is named'(c) {
    const [{ slot, instance, pid }, { slot: other }] = (await c.status()).slots;
    const room = (soft) => run('prlimit', ['--pid', `${pid}`, `--nofile=${soft}:`]);
    const { stdout } = await run('prlimit', ['--pid', `${pid}`, '--nofile', '--output=SOFT', '--noheadings']);
    await room(3);
    const err = await c.ctl('reload').then(() => assert.fail('all have it'), (why) => why);
    await room(stdout.trim());
    assert.equal(err.code, 1);
    assert.ok(err.stdout.includes(`\nslot ${slot} (instance ${instance}): it has no descriptor left `), err.stdout);
    assert.ok(!err.stdout.includes(`slot ${other} (`), err.stdout);
    assert.equal(await c.ctl('reload'), 'nothing changed\n');
  },

  async 'a level for one area, until the next reload'(c) {
    const debug = () => log(c).split('\n').filter((l) => / debug +worker\[/.test(l));
    await c.connect(await c.user());
    assert.deepEqual(debug(), []);
    assert.equal(await c.ctl('log', 'debug', 'engineio'), 'engineio: debug, until the next reload\n');
    (await c.connect(await c.user())).close();
    assert.ok(debug().length > 0, 'lines of the area');
    await c.ctl('reload');
    const before = debug().length;
    (await c.connect(await c.user())).close();
    assert.equal(debug().length, before, 'no more of them');
    assert.match(await refused(c, 1, 'log', 'debug', 'nonsense'), /"nonsense" is no area; there are: transport, engineio, /);
    assert.match(await refused(c, 1, 'log', 'loud'), /"loud" is no level; there are: error, warning, info, debug, default/);
  },

  async 'no secret is in anything that is printed'(c) {
    const ttl = { push: { push_ttl: '2h' }, pushd: { firebase_private_key: `"${password}"` } };
    c.configure(ttl);
    const printed = [await c.ctl('reload'), await c.ctl('config'), await c.ctl('config', '--json'), await c.ctl('status', '--json'), log(c)];
    for (const text of printed)
      for (const secret of [c.secret, password, new URL(c.databaseUrl).password].filter(Boolean))
        assert.ok(!text.includes(secret), secret);
    assert.match(printed[1], /\n# jwt_secret = \(set\)\n/);
    assert.match(printed[1], /\n# firebase_private_key = \(set\)\n/);
    assert.match(printed[1], /pairwire\.conf:\d+; changes with a reload\npush_ttl = 2h\n/);
  },
});
