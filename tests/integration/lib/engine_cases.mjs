// What Engine.IO does below either protocol of tests/conformance/echo: the
// cases of the public suites' common part, in our own words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Poller } from './echo.mjs';
import { DEADLINE, until, withDeadline } from './wait.mjs';

const polling = 'EIO=4&transport=polling';

function assertOpen({ sid, ...rest }, upgrades) {
  assert.match(sid, /^[A-Za-z0-9_-]{20}$/);
  assert.deepEqual(rest, { upgrades, pingInterval: 300, pingTimeout: 200, maxPayload: 1000000 });
}

function assertError({ status, body }, code, message) {
  assert.equal(status, 400);
  assert.deepEqual(JSON.parse(body), { code, message });
}

export const assertUnknown = (answer) => assertError(answer, 1, 'Session ID unknown');

function handshake(name, { suite }) {
  test(`${name}: a polling handshake`, async () => {
    const { status, headers, body } = await suite.request(polling);
    assert.equal(status, 200);
    assert.match(headers['content-type'], /^text\/plain/);
    assert.equal(body[0], '0');
    assertOpen(JSON.parse(body.slice(1)), ['websocket']);
  });

  test(`${name}: a WebSocket handshake`, async () => {
    const r = await suite.opened();
    assertOpen(r.open, []);
    assert.deepEqual(r.frames.slice(1).filter((f) => f !== '2'), []);
    r.close();
  });

  test(`${name}: handshakes that are refused`, async () => {
    const refused = [
      ['transport=polling', 5, 'Unsupported protocol version'], ['EIO=abc&transport=polling', 5, 'Unsupported protocol version'],
      ['EIO=4', 0, 'Transport unknown'], ['EIO=4&transport=abc', 0, 'Transport unknown'], ['', 0, 'Transport unknown'],
      ['EIO=4&transport=websocket', 3, 'Bad request'], [`${polling}&sid=abc`, 1, 'Session ID unknown'],
      [`${polling}&sid=${'A'.repeat(20)}`, 1, 'Session ID unknown'],
    ];
    for (const [query, code, message] of refused) assertError(await suite.request(query), code, message);
    for (const method of ['POST', 'PUT', 'DELETE']) assertError(await suite.request(polling, { method }), 2, 'Bad handshake method');
  });

  test(`${name}: WebSockets that are refused`, async () => {
    for (const query of ['transport=websocket', 'EIO=abc&transport=websocket', 'EIO=3&transport=websocket', 'EIO=4', 'EIO=4&transport=abc']) {
      const r = suite.ws({ query });
      await r.gone();
      assert.deepEqual(r.frames, [], query);
    }
  });
}

function heartbeat(name, { suite, lively }) {
  test(`${name}: pings by polling, answered by POST`, async () => {
    const p = await Poller.open(lively);
    for (let i = 0; i < 3; i++) {
      const { status, body } = await p.get();
      assert.deepEqual([status, body], [200, '2']);
      assert.equal((await p.post('3')).status, 200);
    }
    p.close();
  });

  test(`${name}: pings on a WebSocket, answered there`, async () => {
    const r = await lively.opened();
    for (let i = 0; i < 3; i++) await until(r, 'frame', (f) => f === '2');
    assert.ok(!r.closed);
    r.close();
  });

  // Never too early; when exactly is the public suites' business.
  test(`${name}: no pong by polling: gone after interval and timeout`, async () => {
    for (let tries = 0, pinged = false; !pinged; tries++) {
      assert.ok(tries < 20, 'the session is gone when the first GET comes, each time');
      const since = performance.now();
      const p = await Poller.open(suite);
      const { before, answer } = await p.untilGone();
      assert.ok(performance.now() - since >= 500);
      pinged = before[0] === '2';
      assert.deepEqual(before.slice(pinged ? 1 : 0).filter((body) => body !== '1' && body !== '6\x1e1'), []);
      assertUnknown(await p.get());
      assert.equal(answer.status, 400);
      p.close();
    }
  });

  test(`${name}: no pong on a WebSocket: closed after interval and timeout`, async () => {
    const since = performance.now();
    const r = await suite.opened({ answerPings: false });
    await r.gone();
    assert.ok(performance.now() - since >= 500);
    assert.equal(r.pings, 1);
  });
}

function close(name, { quiet }) {
  // Which of the two requests is first is not ours to say: as often as it takes.
  test(`${name}: a close by POST ends the poll that waits, and the session`, async () => {
    for (let tries = 0, ended = false; !ended; tries++) {
      assert.ok(tries < 100, 'the POST was first each time');
      const p = await Poller.open(quiet);
      let poll;
      await withDeadline(new Promise((sent) => { poll = p.get({ onSent: sent }); }), DEADLINE, 'request');
      const post = await p.post('1');
      assert.deepEqual([post.status, post.body], [200, 'ok']);
      const { status, body } = await poll;
      ended = status === 200;
      if (ended) assert.equal(body, '6');
      assertUnknown(await p.get());
      p.close();
    }
  });

  test(`${name}: a close on a WebSocket`, async () => {
    const r = await quiet.opened();
    r.send('1');
    await r.gone();
  });
}

// proof(r): both directions of the WebSocket work.
function upgrade(name, { quiet }, proof) {
  const upgraded = async () => {
    const p = await Poller.open(quiet);
    const r = await p.probe();
    r.send('5');
    return { p, r };
  };

  test(`${name}: an upgrade, with the poll that the client stops by`, async () => {
    const p = await Poller.open(quiet);
    const r = await p.probe();
    const { status, body } = await p.get();
    assert.deepEqual([status, body], [200, '6']);
    r.send('5');
    await proof(r);
    r.close();
    p.close();
  });

  test(`${name}: an upgrade, with a poll waiting since before the probe`, async () => {
    const p = await Poller.open(quiet);
    const poll = p.get();
    const r = await p.probe();
    const { status, body } = await poll;
    assert.deepEqual([status, body], [200, '6']);
    r.send('5');
    await proof(r);
    r.close();
    p.close();
  });

  test(`${name}: polling is over once upgraded, and disturbs nothing`, async () => {
    const { p, r } = await upgraded();
    const { before, answer } = await p.untilGone();
    assert.deepEqual(before.filter((body) => body !== '6' && body !== '1'), []);
    assertError(answer, 3, 'Bad request');
    assertError(await p.post('4x'), 3, 'Bad request');
    await proof(r);
    r.close();
    p.close();
  });

  test(`${name}: a second WebSocket is closed, the first goes on`, async () => {
    const { p, r } = await upgraded();
    await proof(r);
    const second = quiet.ws({ query: `EIO=4&transport=websocket&sid=${p.open.sid}` });
    await second.gone();
    assert.deepEqual(second.frames, []);
    await proof(r);
    r.close();
    p.close();
  });

  test(`${name}: a WebSocket that is dropped before the upgrade leaves the poll alone`, async () => {
    const p = await Poller.open(quiet);
    const r = await p.probe();
    r.close();
    assert.equal((await p.post('3')).status, 200);
    p.close();
  });
}

export function engineCases(name, servers, proof) {
  handshake(name, servers);
  heartbeat(name, servers);
  close(name, servers);
  upgrade(name, servers, proof);
}
