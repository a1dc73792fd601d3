// Socket.IO without any chat, on one worker and on four: the cases of the
// public v5 suite and more, in our own words. No store takes part: run once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Echo, lively, Poller, quiet, suiteNumbers } from './lib/echo.mjs';
import { engineCases } from './lib/engine_cases.mjs';
import { KIND } from './lib/store.mjs';
import { until } from './lib/wait.mjs';

const SEPARATOR = '\x1e';
const one = Buffer.from([1, 2, 3]), two = Buffer.from([4, 5, 6]);
const twoPlaceholders = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';

// The next packets that are not pings.
async function packets(r, n) {
  while (r.frames.filter((f) => f !== '2').length < n) await until(r, 'frame');
  const got = r.frames.filter((f) => f !== '2');
  r.frames = [];
  return got;
}

// Both frames that follow a CONNECT: the answer and the event "auth".
async function join(r, connect = '40') {
  r.frames = [];
  r.send(connect);
  return packets(r, 2);
}

async function joined(server, connect) {
  const r = await server.opened();
  await join(r, connect);
  return r;
}

async function exchange(r, frames, n) {
  r.frames = [];
  for (const frame of frames) r.send(frame);
  return packets(r, n);
}

let proofs = 0;
async function proof(r) {
  // joins again each time: the answers are to this call's
  const nsp = ['', '/custom,'][proofs++ % 2];
  r.send(`40${nsp}`);
  await until(r, 'frame', (f) => f.startsWith(`40${nsp}{`));
  r.send(`41${nsp}`);
}

function connects(name, { quiet: server, lively: alive, impatient }) {
  test(`${name}: CONNECT, with and without payload, on both namespaces`, async () => {
    for (const [connect, nsp, payload] of [
      ['40', '', '{}'], ['40{"token":"123"}', '', '{"token":"123"}'], ['40/,{"a":[1]}', '', '{"a":[1]}'],
      ['40/custom,', '/custom,', '{}'], ['40/custom', '/custom,', '{}'],
      ['40/custom,{"token":"abc"}', '/custom,', '{"token":"abc"}'],
    ]) {
      const r = await server.opened();
      const [answer, auth] = await join(r, connect);
      assert.ok(answer.startsWith(`40${nsp}{`));
      assert.match(answer.slice(2 + nsp.length), /^\{"sid":"[A-Za-z0-9_-]{20}"\}$/);
      assert.notEqual(JSON.parse(answer.slice(2 + nsp.length)).sid, r.open.sid);
      assert.equal(auth, `42${nsp}["auth",${payload}]`);
      r.close();
    }
  });

  test(`${name}: namespaces that are not there`, async () => {
    const r = await server.opened();
    for (const nsp of ['/random', '/Custom', '/custom/', '/custo', '/custom?x=1']) {
      assert.deepEqual(await exchange(r, [`40${nsp},`], 1), [`44${nsp},{"message":"Invalid namespace"}`]);
    }
    await join(r);
    r.close();
  });

  test(`${name}: two namespaces on one connection; leaving one`, async () => {
    const r = await joined(server, '40');
    await join(r, '40/custom,');
    assert.deepEqual(await exchange(r, ['42/custom,["message",1]', '42["message",2]'], 2),
      ['42/custom,["message-back",1]', '42["message-back",2]']);
    assert.deepEqual(await exchange(r, ['41/custom', '42["message","message to main namespace"]'], 1),
      ['42["message-back","message to main namespace"]']);
    const [again] = await join(r, '40/custom,');
    assert.ok(again.startsWith('40/custom,{"sid":'));
    r.send('41/custom,');
    r.send('42/custom,["message"]');
    await r.gone();
  });

  test(`${name}: the connection stays when the last namespace is left`, async () => {
    const r = await joined(alive, '40');
    r.send('41');
    await until(r, 'frame', (f) => f === '2');
    await join(r);
    r.close();
  });

  test(`${name}: what may not come first closes`, async () => {
    for (const bad of ['4abc', '42["message"]', '41', '43', '44{}', '4', '1', '40[]', '40{"a":', Buffer.from('x')]) {
      const r = await server.opened();
      r.send(bad);
      await r.gone();
    }
  });

  test(`${name}: who joins no namespace in time is closed, whatever the transport`, async () => {
    const since = performance.now();
    const [r, refused, p] = await Promise.all([impatient.opened(), impatient.opened(), Poller.open(impatient)]);
    refused.send('40/random');
    await Promise.all([r.gone(), refused.gone(), (async () => {
      const { before } = await p.untilGone();
      assert.deepEqual(before.flatMap((b) => b.split(SEPARATOR)).filter((f) => !['1', '2', '6'].includes(f)), []);
    })()]);
    assert.ok(performance.now() - since >= 1000);
    assert.deepEqual(r.frames.slice(1).filter((f) => f !== '2'), []);
    p.close();
  });

  test(`${name}: who has joined may stay`, async () => {
    const r = await joined(impatient, '40/custom,');
    for (let i = 0; i < 4; i++) await until(r, 'frame', (f) => f === '2');	// 1.2 s
    assert.deepEqual(await exchange(r, ['42/custom,["message"]'], 1), ['42/custom,["message-back"]']);
    r.close();
  });
}

function messages(name, { quiet: server }) {
  test(`${name}: events and acknowledgements, byte for byte`, async () => {
    for (const nsp of ['', '/custom,']) {
      const r = await joined(server, `40${nsp}`);
      for (const [type, rest, backType, back] of [
        ['42', '["message",1,"2",{"3":[true]}]', '42', '["message-back",1,"2",{"3":[true]}]'],
        ['42', '456["message-with-ack",1,"2",{"3":[false]}]', '43', '456[1,"2",{"3":[false]}]'],
        ['42', '0["message-with-ack"]', '43', '0[]'],
        ['42', '["message"]', '42', '["message-back"]'],
        ['42', '["message","é\u{1f44b}",null,-1.5]', '42', '["message-back","é\u{1f44b}",null,-1.5]'],
        ['42', '["ask","x"]', '42', '0["question","x"]'],
        ['43', '0["a",{"b":1}]', '42', '["answer","a",{"b":1}]'],
      ]) {
        assert.deepEqual(await exchange(r, [`${type}${nsp}${rest}`], 1), [`${backType}${nsp}${back}`]);
      }
      r.close();
    }
  });

  test(`${name}: attachments, both ways, of events and acknowledgements`, async () => {
    for (const nsp of ['', '/custom,']) {
      const r = await joined(server, `40${nsp}`);
      for (const [type, rest, backType, back] of [
        ['45', `["message",${twoPlaceholders}]`, '45', `["message-back",${twoPlaceholders}]`],
        ['45', `789["message-with-ack",${twoPlaceholders}]`, '46', `789[${twoPlaceholders}]`],
        ['45', `["ask",${twoPlaceholders}]`, '45', `0["question",${twoPlaceholders}]`],
        ['46', `0[${twoPlaceholders}]`, '45', `["answer",${twoPlaceholders}]`],
      ]) {
        assert.deepEqual(await exchange(r, [`${type}2-${nsp}${rest}`, one, two], 3), [`${backType}2-${nsp}${back}`, one, two]);
      }
      r.close();
    }
  });

  test(`${name}: attachments by polling`, async () => {
    const p = await Poller.open(server);
    assert.equal((await p.post('40')).body, 'ok');
    const got = [];
    const poll = async (n) => {
      while (got.length < n) got.push(...(await p.get()).body.split(SEPARATOR));
      return got.splice(0, n);
    };
    await poll(2);
    const [b1, b2] = [one, two].map((b) => `b${b.toString('base64')}`);
    // in one body, and in three
    await p.post([`452-["message",${twoPlaceholders}]`, b1, b2].join(SEPARATOR));
    assert.deepEqual(await poll(3), [`452-["message-back",${twoPlaceholders}]`, b1, b2]);
    for (const part of [`452-7["message-with-ack",${twoPlaceholders}]`, b1, b2]) await p.post(part);
    assert.deepEqual(await poll(3), [`462-7[${twoPlaceholders}]`, b1, b2]);
    p.close();
  });

  test(`${name}: acknowledgements nobody asked for are ignored`, async () => {
    const r = await joined(server, '40');
    const frames = ['43', '43[1]', '430[1]', '4399999[1]', '461-5[{"_placeholder":true,"num":0}]', one, '42["ask"]', '430[]', '430[]', '42["message"]'];
    assert.deepEqual(await exchange(r, frames, 3), ['420["question"]', '42["answer"]', '42["message-back"]']);
    r.close();
  });

  test(`${name}: what is no packet closes`, async () => {
    for (const bad of ['4abc', '42{}', '42abc["message-with-ack",1,"2",{"3":[false]}]', '42[]', '42[null]', '42["connect"]', '42["message"',
      '430{}', '40', '42/custom,["message"]', '44', '450-["x"]', '451-["x",{"_placeholder":true,"num":1}]!', 'abc', '', '2', Buffer.from('x')]) {
      const r = await joined(server, '40');
      r.send(bad);
      if (String(bad).endsWith('!')) r.send(one);
      await r.gone();
    }
    for (const then of ['42["x"]', '2']) {	// where an attachment is due
      const r = await joined(server, '40');
      r.send('451-["message",{"_placeholder":true,"num":0}]');
      r.send(then);
      await r.gone();
    }
  });
}

if (KIND === 'pg') {
  for (const workers of [1, 4]) {
    const start = (numbers) => Echo.start({ workers, ...numbers });
    const servers = {
      suite: await start(suiteNumbers), quiet: await start(quiet), lively: await start(lively),
      impatient: await start({ ...lively, 'connect-timeout': 1000 }),
    };
    const name = `${workers} worker${workers > 1 ? 's' : ''}`;
    engineCases(name, servers, proof);
    connects(name, servers);
    messages(name, servers);
    test(`${name}: the servers stop when told to`, async () => {
      for (const server of Object.values(servers)) assert.deepEqual(await server.stop(), { code: 0, signal: null });
    });
  }
}
