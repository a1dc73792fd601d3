// What no good client sends: an error or the end of that connection, and
// nobody else notices.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { suite } from './lib/cluster.mjs';
import { until, withDeadline } from './lib/wait.mjs';

const id24 = 'a'.repeat(24);
const wrongTexts = [undefined, null, '', 7, true, [], {}, ['x'], 'a\u0000b'];
const longId = 'm'.repeat(129);

// Each wrong payload of each event, made from a good one.
function* wrongCalls(match) {
  const events = {
    'message:send': [{ matchId: match, content: 'x' }, {
      matchId: [...wrongTexts, longId],
      content: [undefined, null, '', 7, true, [], {}, 'a\u0000b'],
      type: ['', 'TEXT', 'gif', 7, true, [], {}],
      mediaUrl: ['', 7, true, [], {}, 'a\u0000b', 'x'.repeat(2049)],
    }],
    'message:typing': [{ matchId: match, isTyping: true }, {
      matchId: [...wrongTexts, longId],
      isTyping: [undefined, null, 'true', 1, [], {}],
    }],
    'message:read': [{ matchId: match, messageIds: [id24] }, {
      matchId: [...wrongTexts, longId],
      messageIds: [undefined, null, id24, 7, {}, [7], [null], [''], ['xyz'], [id24.slice(1)], [`${id24}a`], ['A'.repeat(23) + 'g'], [[id24]], Array(501).fill(id24)],
    }],
  };
  let n = 0;
  for (const [event, [good, fields]] of Object.entries(events)) {
    for (const payload of [undefined, null, 7, 'x', true, [], [good], {}]) {
      yield { event, payload, what: `${event} ${JSON.stringify(payload)}` };
    }
    for (const [field, values] of Object.entries(fields)) {
      for (const value of values) {
        const payload = { ...good, tempId: `t${n++}`, [field]: value };
        yield { event, payload, tempId: payload.tempId, what: `${event} ${field} ${JSON.stringify(value)}`.slice(0, 80) };
      }
    }
  }
  for (const tempId of ['', 'x'.repeat(129), 1.5, 2 ** 53, true, [], {}, 'a\u0000b']) {
    yield { event: 'message:send', payload: { matchId: match, content: 'x', tempId }, what: `tempId ${JSON.stringify(tempId)}` };
  }
}

// A pair that keeps chatting while fn runs, and must not notice.
async function whileOthersChat(c, fn) {
  const { a, b, match } = await c.pair();
  const [one, two] = await c.instances();
  const pairs = [];
  for (const on of [one, two]) pairs.push([await c.connect(a, { on }), await c.connect(b, { on })]);
  let stop = false, count = 0;
  const chat = (async () => {
    while (!stop) {
      for (const [ca, cb] of pairs) {
        const { messageId } = await ca.send(match, `still here ${count++}`);
        await cb.got('message:new', (m) => m.id === messageId);
      }
    }
  })();
  try {
    await Promise.race([fn(), chat.then(() => { throw new Error('the chat ended'); })]);
    // and once more after it
    const before = count;
    while (count < before + 4) await Promise.race([chat, until(pairs[0][0].socket, 'message:sent')]);
  } finally {
    stop = true;
    await chat;
  }
  for (const client of pairs.flat()) {
    assert.ok(client.connected);
    assert.deepEqual(client.all('error'), []);
  }
}

const frame = (event, json, ack = '') => `42${ack}["${event}",${json}]`;
const nested = (n) => '['.repeat(n) + ']'.repeat(n);
const objects = (n) => '{"a":'.repeat(n) + '1' + '}'.repeat(n);

await suite({}, {
  async 'every field of every event, wrong in turn'(c) {
    const { a, match } = await c.pair();
    const client = await c.connect(a);
    let errors = 0;
    for (const { event, payload, tempId, what } of wrongCalls(match)) {
      const args = payload === undefined ? [] : [payload];
      const answer = await client.ask(event, ...args);
      assert.equal(answer.ok, false, what);
      assert.ok(['INVALID_PAYLOAD', 'INVALID_MATCH'].includes(answer.code), `${what}: ${answer.code}`);
      assert.equal(typeof answer.message, 'string', what);
      const all = client.all('error');
      assert.equal(all.length, ++errors, `${what}: one error event`);
      const error = all[errors - 1];
      assert.equal(error.code, answer.code, what);
      assert.equal(error.message, answer.message, what);
      if (tempId !== undefined && event === 'message:send') assert.equal(error.tempId, tempId, what);
      assert.ok(client.connected, what);
    }
    assert.ok(errors > 70);
    assert.equal((await c.store.messages(match)).length, 0);
    await client.send(match, 'and it still works');
  },

  async 'unknown events and odd arguments'(c) {
    const { a, match } = await c.pair();
    const client = await c.connect(a);
    client.emit('no:such:event', { x: 1 });
    client.emit('', 1);
    client.emit('x'.repeat(5000));
    client.emit('message:send');
    client.emit('error', { code: 'X' });
    client.emit('session:ready', {});
    await client.send(match, 'still here');
    // further arguments are nobody's business
    const answer = await client.ask('message:send', { matchId: match, content: 'x', more: [1, { a: 2 }] }, 'extra', null);
    assert.equal(answer.ok, true);
  },

  async 'payloads that are no payloads, while others chat'(c) {
    const user = await c.user();
    await whileOthersChat(c, async () => {
      for (const json of ['null', '7', '-0.0', '1e400', '[]', '[[]]', 'true', '"x"', '{}', `{"matchId":${nested(100)}}`,
        `{"matchId":"${randomUUID()}","content":"${'x'.repeat(900000)}"}`,
        '{"matchId":"\\u0000","content":"\\ud800"}', '{"matchId":1,"matchId":2}']) {
        const raw = await c.rawJoin(user);
        raw.send(frame('message:send', json, '5'));
        const answer = await Promise.race([
          raw.frame((f) => f.startsWith('435')), raw.gone().then(() => undefined),
        ]);
        // 1e400 is no JSON number to everybody: closing is an answer too
        if (answer) assert.equal(JSON.parse(answer.slice(3))[0].ok, false, json.slice(0, 60));
        raw.close();
      }
    });
  },

  async 'frames that are no packets end only that connection'(c) {
    const user = await c.user();
    const evil = [
      frame('message:send', nested(10000)), frame('message:send', objects(10000)),
      '42', '42[', '42{}', '42[]', '42[null]', '42["connect",1]', '42["message:send",', '421e3["x"]', '42-1["x"]',
      '4', '49', '4x', '9', 'x', '', '\u0000', '2', '40', '44{}', '43', '430', '430{}', '43[', '45', '450-["x"]', '451-["x",{"_placeholder":true,"num":1}]',
      '45999999999-["x"]', '451-["x",{"_placeholder":true,"num":0}]4', '42/other,["x"]', '41x',
      `42${'9'.repeat(30)}["x"]`, '"', `4${'2'.repeat(1000)}`, '5', '6', '1', '0{}', '2probe',
      Buffer.from([0xc3, 0x28]), Buffer.alloc(0), Buffer.alloc(100000, 0xff),
    ];
    await whileOthersChat(c, async () => {
      for (const bytes of evil) {
        const raw = await c.rawJoin(user);
        raw.ws.send(bytes);
        // either it is gone, or it still answers
        raw.ws.send(frame('message:read', 'null', '77'));
        await withDeadline(Promise.race([raw.gone(10000), raw.frame((f) => typeof f === 'string' && f.startsWith('4377'), 10000)]), 10000, `after ${String(bytes).slice(0, 40)}`);
        raw.close();
      }
    });
  },

  async 'invalid UTF-8, NUL and oversize in text frames'(c) {
    const user = await c.user();
    const text = (bytes) => ({ data: Buffer.concat(bytes.map((b) => Buffer.from(b))), binary: false });
    const bad = [
      text(['42["message:send",{"matchId":"', [0xff, 0xfe], '","content":"x"}]']),
      text(['42["message:send",{"matchId":"m","content":"', [0xed, 0xa0, 0x80], '"}]']),
      text(['42["message:send",{"matchId":"m","content":"', [0xc0, 0xaf], '"}]']),
      text(['42["message:send",{"matchId":"m","content":"a', [0], 'b"}]']),
      text(['42["message:send",{"matchId":"m","content":"', [0xf0, 0x9f]]),
      text([`42["message:send",{"matchId":"m","content":"${'x'.repeat(1100000)}"}]`]),
    ];
    await whileOthersChat(c, async () => {
      for (const { data, binary } of bad) {
        const raw = await c.rawJoin(user);
        raw.ws.send(data, { binary });
        await raw.gone(10000);
      }
    });
  },

  async 'attachments: refused, or the end of that connection'(c) {
    const { a, match } = await c.pair();
    await whileOthersChat(c, async () => {
      const client = await c.connect(a);
      const answers = Promise.race([
        client.ask('message:send', { matchId: match, content: Buffer.from('x'), tempId: 'b' }),
        until(client.socket, 'disconnect').then(() => ({ ok: false, code: 'INVALID_PAYLOAD' })),
      ]);
      const answer = await answers;
      assert.deepEqual([answer.ok, answer.code], [false, 'INVALID_PAYLOAD']);
      // announced, and never sent; announced, and something else sent
      for (const then of [[], ['42["x"]'], [Buffer.alloc(10), Buffer.alloc(10)]]) {
        const raw = await c.rawJoin(a);
        raw.send('451-["message:send",{"_placeholder":true,"num":0}]');
        for (const f of then) raw.ws.send(f);
        if (then.length > 0) await raw.gone();
        raw.close();
      }
    });
    assert.equal((await c.store.messages(match)).length, 0);
  },

  async 'requests that are no handshakes'(c) {
    const get = async (path, init) => (await fetch(`${c.url}${path}`, init)).status;
    await whileOthersChat(c, async () => {
      assert.equal(await get('/healthz'), 200);
      assert.equal(await get('/'), 404);
      assert.equal(await get('/socket.io/?EIO=3&transport=websocket'), 400);
      assert.equal(await get('/socket.io/?EIO=4&transport=websocket'), 400);
      assert.equal(await get('/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA'), 400);
      assert.ok(await get('/healthz', { headers: { 'x-long': 'x'.repeat(100000) } }).catch(() => 431) >= 400);
    });
  },
});
