// Engine.IO alone, on one worker and on four: the cases of the public v4 suite
// and more, in our own words. No store takes part: run once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Echo, lively, Poller, quiet, suiteNumbers } from './lib/echo.mjs';
import { assertUnknown, engineCases } from './lib/engine_cases.mjs';
import { KIND } from './lib/store.mjs';
import { until } from './lib/wait.mjs';

const SEPARATOR = '\x1e';
let proofs = 0;

async function proof(r) {
  const text = `hello ${proofs++}`;
  r.send(`4${text}`);
  await r.frame((f) => f === `4${text}`);
}

function pollingMessages(name, { quiet: server }) {
  // Posts, and what the next poll has.
  const roundTrip = async (p, body) => {
    const post = await p.post(body);
    assert.deepEqual([post.status, post.body], [200, 'ok']);
    const { status, body: back } = await p.get();
    assert.equal(status, 200);
    return back;
  };

  test(`${name}: messages by polling`, async () => {
    const p = await Poller.open(server);
    for (const body of [
      '4hello', ['4test1', '4test2', '4test3'].join(SEPARATOR), ['4hello', 'bAQIDBA=='].join(SEPARATOR),
      '4', '4é\u{1f44b}', 'b', 'bAA==', ['4a', 'b/+8=', '4', '4b'].join(SEPARATOR), `4${'x'.repeat(300000)}`,
    ]) assert.equal(await roundTrip(p, body), body);
    p.close();
  });

  test(`${name}: a poll waits for the message`, async () => {
    const p = await Poller.open(server);
    const poll = p.get();
    assert.equal((await p.post('4later')).body, 'ok');
    assert.equal((await poll).body, '4later');
    p.close();
  });

  test(`${name}: what is no packet ends the session`, async () => {
    for (const bad of ['abc', '', '7', '2', ['4x', 'y'].join(SEPARATOR), 'b!']) {
      const p = await Poller.open(server);
      await p.post(bad).catch(() => {});	// whatever the answer
      const { answer } = await p.untilGone();
      assert.equal(answer.status, 400, bad);
      p.close();
    }
  });

  test(`${name}: a second poll ends both, and the session`, async () => {
    const p = await Poller.open(server);
    const [first, second] = (await Promise.all([p.get(), p.get()])).sort((a, b) => a.status - b.status);
    assert.deepEqual([first.status, first.body], [200, '1']);
    assert.equal(second.status, 400);
    assertUnknown(await p.get());
    p.close();
  });

  // The next one may even overtake the news of the end.
  test(`${name}: a poll that is aborted ends the session`, async () => {
    const p = await Poller.open(server);
    await p.get({ onSent: (req) => req.destroy() }).then(() => assert.fail('answered'), () => {});
    const { before } = await p.untilGone();
    assert.deepEqual(before.filter((body) => body !== '1'), []);
    assertUnknown(await p.get());
    p.close();
  });

  test(`${name}: nothing lost, doubled or out of order on many connections`, async () => {
    const p = await Poller.open(server);
    const got = [];
    const polling = (async () => {
      while (got.length < 300) got.push(...(await p.get()).body.split(SEPARATOR));
    })();
    for (let i = 0; i < 100; i++) {
      assert.equal((await p.post([0, 1, 2].map((k) => `4${3 * i + k}`).join(SEPARATOR))).body, 'ok');
    }
    await polling;
    assert.deepEqual(got, Array.from({ length: 300 }, (_, i) => `4${i}`));
    p.close();
  });
}

function webSocketMessages(name, { quiet: server }) {
  test(`${name}: messages on a WebSocket`, async () => {
    const r = await server.opened();
    for (const frame of ['4hello', '4', '4é\u{1f44b}', Buffer.from([1, 2, 3, 4]), Buffer.alloc(0), Buffer.alloc(100000, 7)]) {
      const back = until(r, 'frame');
      r.send(frame);
      assert.deepEqual((await back)[0], frame);
    }
    r.close();
  });

  test(`${name}: what is no packet closes`, async () => {
    for (const bad of ['abc', '', '2', '7']) {
      const r = await server.opened();
      r.send(bad);
      await r.gone();
    }
  });
}

function others(name, { impatient }) {
  test(`${name}: nobody has to join anything`, async () => {
    const r = await impatient.opened();
    for (let i = 0; i < 3; i++) await until(r, 'frame', (f) => f === '2');
    await proof(r);
    r.close();
  });
}

if (KIND === 'pg') {
  for (const workers of [1, 4]) {
    const start = (numbers) => Echo.start({ protocol: 'engine.io', workers, ...numbers });
    const servers = {
      suite: await start(suiteNumbers), quiet: await start(quiet), lively: await start(lively),
      impatient: await start({ ...lively, 'connect-timeout': 300 }),
    };
    const name = `${workers} worker${workers > 1 ? 's' : ''}`;
    engineCases(name, servers, proof);
    pollingMessages(name, servers);
    webSocketMessages(name, servers);
    others(name, servers);
    test(`${name}: the servers stop when told to`, async () => {
      for (const server of Object.values(servers)) assert.deepEqual(await server.stop(), { code: 0, signal: null });
    });
  }
}
