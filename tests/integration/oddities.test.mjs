// What JavaScript can put into an event, with the stock client: one answer for
// that one event, and the connection lives on.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';

const lone = ['a\ud83d', '\udc00x', '\ud83d\ud83d\ude00', '\ud800'];
const numbers = [0, -0, -1, 0.1, 1.5, -1e-7, 2 ** 53, 2 ** 53 + 2, -(2 ** 53), 2 ** 63, 2 ** 64, 1e21, 1e300, 5e-324, Number.MAX_VALUE];
const nulls = [NaN, Infinity, -Infinity, null, undefined, () => {}, Symbol('s')];
const objects = [
  {}, { a: { b: { c: {} } } }, [], [[]], [1, 'x', null], new Map([[1, 2]]), new Set([1]), /x/, new Error('x'), new Array(3),
  JSON.parse('{"__proto__":{"polluted":true}}'), { toString: 'x' }, { length: 5 }, Array(10000).fill(0), { toJSON: () => ({}) },
];
const binary = [Buffer.from('x'), new Uint8Array(3), new ArrayBuffer(0), new Float64Array(2), Buffer.alloc(0)];
const nested = (n) => { let x = {}; for (let i = 0; i < n; i++) x = i % 2 ? [x] : { x }; return x; };

const show = (...values) => values.map((v) => {
  try {
    return typeof v === 'number' || v === undefined ? String(v) : JSON.stringify(v).slice(0, 60);
  } catch {
    return typeof v;
  }
}).join(' ');

// Answers, each with its error event, for what is no good; then a good one.
class Talk {
  constructor(c, client, other, match) { Object.assign(this, { c, client, other, match, n: 0 }); }

  static async start(c, io) {
    const { a, b, match } = await c.pair();
    const client = await c.connect(a, { io });
    const talk = new Talk(c, client, await c.connect(b), match);
    talk.id = client.socket.id;
    return talk;
  }

  async stillWorks(what) {
    const content = `good ${this.n++}`;
    const { messageId } = await this.client.send(this.match, content);
    const message = await this.other.got('message:new', (m) => m.id === messageId);
    assert.equal(message.content, content, what);
    assert.equal(this.client.socket.id, this.id, `${what}: the same connection`);
  }

  async refused(code, event, ...args) {
    const what = show(event, ...args);
    const errors = this.client.all('error').length;
    const answer = await this.client.ask(event, ...args);
    assert.deepEqual([answer.ok, answer.code], [false, code], what);
    const { ok, ...members } = answer;
    assert.deepEqual(this.client.all('error').slice(errors), [members], what);
    await this.stillWorks(what);
  }

  async taken(payload, ...more) {
    const what = show(payload, ...more);
    const answer = await this.client.ask('message:send', payload, ...more);
    assert.equal(answer.ok, true, `${what}: ${JSON.stringify(answer)}`);
    const message = await this.other.got('message:new', (m) => m.id === answer.messageId);
    await this.stillWorks(what);
    return { answer, message };
  }
}

const INVALID = 'INVALID_PAYLOAD';

const tests = {
  async 'broken surrogate pairs: U+FFFD in content, refused where a text must come back as it was'(t) {
    for (const text of lone) {
      const { message } = await t.taken({ matchId: t.match, content: text, tempId: `x${t.n}` });
      assert.equal(message.content, text.toWellFormed?.() ?? text.replace(/\p{Surrogate}/gu, '\ufffd'));
      for (const field of ['matchId', 'tempId', 'mediaUrl', 'type']) {
        await t.refused(INVALID, 'message:send', { matchId: t.match, content: 'x', [field]: text });
      }
      await t.refused(INVALID, 'message:typing', { matchId: text, isTyping: true });
      await t.refused(INVALID, 'message:read', { matchId: text, messageIds: ['a'.repeat(24)] });
      await t.refused(INVALID, 'message:read', { matchId: t.match, messageIds: [text] });
    }
    const { message } = await t.taken({ matchId: t.match, content: '\ud83d\ude00 \u{10ffff}\uffff' });
    assert.equal(message.content, '\ud83d\ude00 \u{10ffff}\uffff');
  },

  async 'the NUL character'(t) {
    for (const text of ['\u0000', 'a\u0000', '\u0000a', 'a\u0000b']) {
      for (const field of ['content', 'matchId', 'tempId', 'mediaUrl', 'type']) {
        await t.refused(INVALID, 'message:send', { matchId: t.match, content: 'x', [field]: text });
      }
      await t.refused(INVALID, 'message:typing', { matchId: text, isTyping: true });
      await t.refused(INVALID, 'message:read', { matchId: t.match, messageIds: [text] });
    }
    const { message } = await t.taken({ matchId: t.match, content: '\\u0000 \u0001\u001f\u007f\u0080' });
    assert.equal(message.content, '\\u0000 \u0001\u001f\u007f\u0080');
  },

  async 'numbers where none is due'(t) {
    for (const number of numbers) {
      for (const field of ['content', 'matchId', 'mediaUrl', 'type']) {
        await t.refused(INVALID, 'message:send', { matchId: t.match, content: 'x', [field]: number });
      }
      await t.refused(INVALID, 'message:typing', { matchId: t.match, isTyping: number });
      await t.refused(INVALID, 'message:read', { matchId: t.match, messageIds: number });
      await t.refused(INVALID, 'message:read', { matchId: t.match, messageIds: [number] });
      await t.refused(INVALID, 'message:send', number);
    }
  },

  async 'a number as tempId: a safe integer, echoed'(t) {
    for (const tempId of numbers) {
      if (!Number.isSafeInteger(tempId)) {
        await t.refused(INVALID, 'message:send', { matchId: t.match, content: 'x', tempId });
        continue;
      }
      const { answer } = await t.taken({ matchId: t.match, content: 'x', tempId });
      assert.equal(answer.tempId, tempId + 0);	// JSON has no -0
    }
    for (const tempId of [2 ** 53 - 1, -(2 ** 53) + 1]) {
      assert.equal((await t.taken({ matchId: t.match, content: 'x', tempId })).answer.tempId, tempId);
    }
  },

  async 'what JSON makes null, or leaves out'(t) {
    for (const nothing of nulls) {
      for (const field of ['content', 'matchId']) {
        await t.refused(INVALID, 'message:send', { matchId: t.match, content: 'x', [field]: nothing });
      }
      await t.refused(INVALID, 'message:typing', { matchId: t.match, isTyping: nothing });
      await t.refused(INVALID, 'message:read', { matchId: t.match, messageIds: nothing });
      await t.refused(INVALID, 'message:read', { matchId: t.match, messageIds: [nothing] });
      const { answer, message } = await t.taken({ matchId: t.match, content: 'x', type: nothing, mediaUrl: nothing, tempId: nothing });
      assert.deepEqual([message.type, message.mediaUrl, answer.tempId], ['text', undefined, undefined]);
    }
  },

  async 'dates are their text'(t) {
    const at = new Date(0);
    const { answer, message } = await t.taken({ matchId: t.match, content: at, tempId: at });
    assert.deepEqual([message.content, answer.tempId], [at.toISOString(), at.toISOString()]);
    await t.refused('INVALID_MATCH', 'message:send', { matchId: at, content: 'x' });
    await t.refused(INVALID, 'message:send', { matchId: t.match, content: new Date(NaN) });
    await t.refused(INVALID, 'message:send', at);
  },

  async 'objects and arrays where none is due'(t) {
    for (const object of [...objects, nested(100), nested(2500)]) {
      for (const field of ['content', 'matchId', 'tempId', 'mediaUrl', 'type']) {
        await t.refused(INVALID, 'message:send', { matchId: t.match, content: 'x', [field]: object });
      }
      await t.refused(INVALID, 'message:typing', { matchId: t.match, isTyping: object });
      await t.refused(INVALID, 'message:read', { matchId: t.match, messageIds: object });
      await t.refused(INVALID, 'message:read', { matchId: t.match, messageIds: [object] });
      await t.refused(INVALID, 'message:send', object);
    }
    await t.refused('MESSAGE_TOO_LARGE', 'message:send', { matchId: t.match, content: Array(200000).fill(0) });
    await t.refused('MESSAGE_TOO_LARGE', 'message:read', { matchId: t.match, messageIds: Array(20000).fill('a'.repeat(24)) });
  },

  async 'members that nobody asked for'(t) {
    const more = [
      JSON.parse('{"__proto__":{"content":"y"}}'), { constructor: 1, prototype: {}, hasOwnProperty: null }, { ['a\u0000b']: 1, '\ud800': 2, '': 3, '\u0000': 4 },
      { n: numbers, x: nulls, o: objects }, { deep: nested(2500) }, { ['k'.repeat(10000)]: 'v'.repeat(10000) }, { content2: lone, nul: '\u0000' },
    ];
    for (const members of more) {
      const payload = { matchId: t.match, content: 'x' };
      for (const key of Object.keys(members)) Object.defineProperty(payload, key, { value: members[key], enumerable: true });
      assert.equal((await t.taken(payload)).message.content, 'x');
    }
  },

  async 'no arguments, and more than one'(t) {
    for (const event of ['message:send', 'message:typing', 'message:read']) await t.refused(INVALID, event);
    const good = { matchId: t.match, content: 'x' };
    await t.taken(good, null);
    await t.taken(good, 1.5, '\ud800', '\u0000', [], nested(2500), 1e300);
    await t.refused(INVALID, 'message:send', undefined, good);
  },

  async 'binary where text is due'(t) {
    for (const bytes of binary) {
      for (const field of ['content', 'matchId', 'tempId', 'mediaUrl', 'extra']) {
        await t.refused(INVALID, 'message:send', { matchId: t.match, content: 'x', [field]: bytes });
      }
      await t.refused(INVALID, 'message:send', bytes);
      await t.refused(INVALID, 'message:typing', { matchId: t.match, isTyping: bytes });
      await t.refused(INVALID, 'message:read', { matchId: t.match, messageIds: [bytes, bytes] });
      await t.refused(INVALID, 'message:send', { matchId: t.match, content: 'x' }, bytes);
    }
    // what only looks like an attachment
    await t.refused(INVALID, 'message:send', { matchId: t.match, content: { _placeholder: true, num: 0 } });
  },

  async 'names of events'(t) {
    for (const name of ['', ' ', 'message:send ', 'Message:Send', 'message:send\u0000', '\u0000', ...lone, '__proto__', 'constructor', 'toString', 'error', 'message', 'message:new', 'x'.repeat(5000), ...numbers]) {
      await t.refused(INVALID, name, { matchId: t.match, content: 'x' });
      await t.refused(INVALID, name);
    }
  },

  // The stock client would not write these.
  async 'JSON that others write'(t) {
    const raw = await t.c.rawJoin(t.client.user);
    let ack = 10;
    const ask = async (json) => {
      const id = ack++;
      raw.send(`42${id}["message:send",${json}]`);
      return JSON.parse((await raw.frame((f) => typeof f === 'string' && f.startsWith(`43${id}[`))).slice(`43${id}`.length))[0];
    };
    const match = JSON.stringify(t.match);
    for (const value of ['1e400', '-1e400', '9'.repeat(400), `-${'9'.repeat(400)}`, '9223372036854775808', '18446744073709551616', '-9223372036854775809', '1e-400', '-0.0', '1E+2', '1.0', `0.${'1'.repeat(1000)}`]) {
      for (const field of ['matchId', 'content', 'tempId', 'type', 'mediaUrl']) {
        const members = { matchId: match, content: '"x"', [field]: value };
        const answer = await ask(`{${Object.entries(members).map(([k, v]) => `"${k}":${v}`).join(',')}}`);
        // as in JavaScript: what no number holds is null, and null is nothing
        const nothing = /e400|9{400}/i.test(value) && ['tempId', 'type', 'mediaUrl'].includes(field);
        assert.deepEqual([answer.ok, answer.code], nothing ? [true, undefined] : [false, INVALID], `${field} ${value.slice(0, 40)}`);
      }
    }
    // the last one counts
    const answer = await ask(`{"matchId":1,"content":"first","content":"second","matchId":${match}}`);
    const message = await t.other.got('message:new', (m) => m.id === answer.messageId);
    assert.equal(message.content, 'second');
    assert.equal((await ask(` { "matchId" : ${match} ,\n"content"\t: "\\/\\u0078" } `)).ok, true);
    assert.equal(raw.closed, undefined);
    await t.stillWorks('raw');
  },
};

const transports = { websocket: ['websocket'], polling: ['polling'], upgraded: ['polling', 'websocket'] };

await suite({}, Object.fromEntries(Object.entries(transports).flatMap(([name, list]) =>
  Object.entries(tests).map(([what, fn]) => [`${what} (${name})`, async (c) => fn(await Talk.start(c, { transports: list }))]))));
