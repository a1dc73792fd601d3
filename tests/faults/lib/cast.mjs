// Who talks to whom, and what else they do. Users' letters are their devices in
// order; the first one sends.
import { randomUUID } from 'node:crypto';
import { now, sign } from '../../integration/lib/token.mjs';
import { Device } from './device.mjs';
import { RemoteDevice } from './remote.mjs';
import { Sender } from './load.mjs';

const TRANSPORTS = { w: ['websocket'], p: ['polling'], u: ['polling', 'websocket'] };

// kind: what b does.
//   steady   nothing else
//   leaves   is out of reach while it happens, and goes on where it was
//   reloads  the same, with nothing remembered
//   gone     leaves before it happens and does not come back
//   quits    does not reconnect when its connection is lost
//   frozen   stops (with it all of its process) and goes on later; only listens
const CAST = [
  { kind: 'steady', a: 'w', b: 'w' },
  { kind: 'steady', a: 'p', b: 'p' },
  { kind: 'steady', a: 'u', b: 'w' },
  { kind: 'steady', a: 'w', b: 'wp' },
  { kind: 'leaves', a: 'p', b: 'w' },
  { kind: 'reloads', a: 'w', b: 'p' },
  { kind: 'gone', a: 'u', b: 'w' },
  { kind: 'quits', a: 'w', b: 'w' },
  { kind: 'quits', a: 'w', b: 'p' },
];
const FROZEN = [
  { kind: 'frozen', a: 'w', b: 'w' },
  { kind: 'frozen', a: 'p', b: 'p' },
];

export function mix(pairs) {
  const all = pairs.flatMap((p) => [...p.letters.a, ...p.letters.b]);
  return Object.entries({ w: 'ws', p: 'poll', u: 'up' })
    .map(([letter, name]) => `${all.filter((l) => l === letter).length} ${name}`).join(' ');
}

class User {
  constructor(id, name) { Object.assign(this, { id, name, devices: [] }); }

  get online() { return this.devices.some((d) => d.up && !d.frozen); }
}

// urls: of the hosts. Every combination of hosts occurs; who quits is on the last.
function place(urls, n, side, kind) {
  if (side === 'b' && kind === 'quits') return urls[urls.length - 1];
  return urls[(side === 'a' ? n : n >> 1) % urls.length];
}

export async function assemble({ db, ledger, urls, secret, interval, frozen }) {
  const pairs = [];
  for (const [n, { kind, ...letters }] of [...CAST, ...(frozen ? FROZEN : [])].entries()) {
    const [a, b] = await Promise.all(['a', 'b'].map(async (side) => {
      const user = new User(randomUUID(), `${kind}${n}${side}`);
      await db.query('INSERT INTO users (id, first_name) VALUES ($1, $2)', [user.id, user.name]);
      return user;
    }));
    const match = randomUUID();
    await db.query('INSERT INTO matches (id, user_a_id, user_b_id) VALUES ($1, $2, $3)', [match, a.id, b.id]);
    const pair = { kind, a, b, match, letters, senders: [] };
    for (const [side, user] of [['a', a], ['b', b]]) {
      const special = side === 'b' && kind;
      for (const letter of letters[side]) {
        const options = {
          token: sign({ userId: user.id, iat: now() - 7200, exp: now() + 86400 }, secret),
          transports: TRANSPORTS[letter], reconnect: special !== 'quits',
        };
        const device = new (special === 'frozen' ? RemoteDevice : Device)(place(urls, n, side, kind), options);
        user.devices.push(device);
        ledger.watch(ledger.follow(device, { name: `${user.name}.${letter}${user.devices.length}`, user }), side === 'a' ? b : a);
      }
      if (special !== 'frozen') {
        const [device] = user.devices;
        pair.senders.push(new Sender(ledger, { user, peer: side === 'a' ? b : a, match, device, interval }));
      }
    }
    pairs.push(pair);
  }
  return pairs;
}
