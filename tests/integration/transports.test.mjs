// Clients on long-polling, on WebSocket, and on their way from one to the other
// get the same; and none of them waits for one that does not read.
import assert from 'node:assert/strict';
import { suite } from './lib/cluster.mjs';
import { Poller } from './lib/poller.mjs';
import { eventually } from './lib/wait.mjs';

const N = 200;
const OUTBOX = 65536;

const kinds = {
  polling: { transports: ['polling'] },
  websocket: { transports: ['websocket'] },
  upgraded: { transports: ['polling', 'websocket'] },
};

const connectAll = async (c, user) => Promise.all(Object.values(kinds).map((io) => c.connect(user, { io })));
const numbers = [...Array(N).keys()].map(String);

// Stuck devices: each joins as the user and reads no more.
const stuck = {
  async websocket(c, user) { (await c.rawJoin(user)).ws.pause(); },
  async 'polling, answers unread'(c, user) {
    const p = await Poller.join(c, user);
    p.socket.pause();
    for (let i = 0; i < 100; i++) p.get();
  },
  async 'polling, without a GET'(c, user) { await Poller.join(c, user); },
};

// the outbox ends what does not read, and nothing else
await suite({ engine: { outbox_limit: OUTBOX, ping_interval: '10m', ping_timeout: '10m', body_timeout: '10m' } }, {
  async 'message:new reaches devices of every transport, once and in order'(c) {
    const { a, b, match } = await c.pair();
    const devices = await connectAll(c, b);
    for (const sender of await connectAll(c, a)) {
      for (const device of devices) device.events.length = 0;
      for (const content of numbers) sender.emit('message:send', { matchId: match, content });
      await sender.gotMany(N, 'message:delivered', undefined, 20000);
      for (const device of devices) {
        const came = await device.gotMany(N, 'message:new', undefined, 20000);
        assert.deepEqual(came.map((m) => m.content), numbers);
      }
      assert.deepEqual(sender.all('error'), []);
    }
  },

  async 'while devices change from polling to WebSocket'(c) {
    const { a, b, match } = await c.pair();
    const sender = await c.connect(a);
    const sent = [];
    const devices = [];
    let upgraded = 0;
    let stop = false;
    const chatter = (async () => {
      for (let i = 0; !stop; i++) sent.push((await sender.send(match, `${i}`)).messageId);
    })();
    try {
      for (let i = 0; i < 10; i++) {
        const device = await c.connect(b, { io: kinds.upgraded });
        device.manager.engine.on('upgrade', () => { upgraded++; });
        if (device.manager.engine.transport.name === 'websocket') upgraded++;
        devices.push(device);
      }
      await eventually(() => upgraded === devices.length, 'ten upgrades');
    } finally {
      stop = true;
      await chatter;
    }
    const last = await sender.send(match, 'last');
    sent.push(last.messageId);
    for (const device of devices) {
      await device.got('message:new', (m) => m.id === last.messageId);
      const ids = device.all('message:new').map((m) => m.id);
      assert.deepEqual(ids, sent.slice(sent.indexOf(ids[0])), 'from the first on: each, once, in order');
    }
  },

  ...Object.fromEntries(Object.entries(stuck).map(([kind, join]) => [`a device that does not read delays nobody: ${kind}`, async (c) => {
    const { a, b, match } = await c.pair();
    const [sender, device] = [await c.connect(a), await c.connect(b)];
    const before = (await c.status()).totals;
    await join(c, b);
    const sent = [];
    const closed = async () => (await c.status()).totals.closed_outbox === before.closed_outbox + 1;
    while (!await closed()) {
      const { messageId } = await sender.send(match, 'x'.repeat(4000));
      sent.push(messageId);
      // his other device has it, and that counts
      await device.got('message:new', (m) => m.id === messageId);
      await sender.got('message:delivered', (d) => d.messageId === messageId);
    }
    assert.ok(sent.length * 4500 > OUTBOX, 'no sooner than its outbox was full');
    assert.deepEqual(device.all('message:new').map((m) => m.id), sent);
    await eventually(async () => {
      const { sessions, outbox_bytes } = (await c.status()).totals;
      return sessions === before.sessions && outbox_bytes === 0;
    }, 'its session to end');
  }])),
});
