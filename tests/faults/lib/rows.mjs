// What is done to the cluster, one row each.
//   hosts     masters on this machine, with the same backends (1)
//   stores    which message stores (both)
//   frozen    the cast has clients that can be stopped
//   clock     the second host has a clock to be stepped
//   repeats   a worker, a store or the queue is killed: a push event may come
//             twice, which is counted
//   dies      workers are killed
//   store     a store is away for a while: a client that comes back then starts
//             afresh
//             repeats and store may name the stores with which that is so
//   presence  'death', 'frozen': within which time it has to be true from the
//             blow on; else from the moment on that all is well again
//   strike    what happens; what it returns is done to make it well again, if
//             nobody else does that
import { instanceOf } from '../../integration/lib/client.mjs';
import { MS } from './settings.mjs';

const hold = (ms) => new Promise((done) => { setTimeout(done, ms); });

// Dead for a moment, then started again by whoever supervises it.
const killed = (server) => async (w) => {
  await w.servers[server].kill();
  await hold(1000);
  await w.servers[server].start();
};

const stalled = (server) => async (w) => {
  w.servers[server].freeze();
  await hold(MS.stall);
  w.servers[server].thaw();
};

export const ROWS = [
  {
    name: 'worker', what: 'SIGKILL of a worker', dies: true, repeats: true, presence: 'death',
    async strike(w) {
      const [{ b }] = w.of('quits');
      const victim = await w.hosts[0].workerOf(instanceOf(b.devices[0].manager.engine.id));
      process.kill(victim.pid, 'SIGKILL');
    },
  },
  {
    name: 'master', what: 'SIGKILL of the master, and a new one', dies: true, repeats: true, presence: 'death',
    async strike(w) {
      await w.hosts[0].killMaster();
      w.hosts[0].start();
    },
  },
  {
    name: 'reader', what: "SIGKILL of the queue's reader",
    async strike(w) {
      await w.reader.kill();
      await hold(1000);
      w.reader.start();
    },
  },
  {
    name: 'client', what: 'SIGSTOP of clients', frozen: true, presence: 'frozen',
    async strike(w) {
      const devices = w.of('frozen').flatMap((p) => p.b.devices);
      for (const d of devices) d.freeze();
      return () => { for (const d of devices) d.thaw(); };
    },
  },
  { name: 'redis', what: 'SIGKILL of Redis, empty afterwards', repeats: true, strike: killed('redis') },
  { name: 'postgres', what: 'SIGKILL of PostgreSQL', repeats: ['pg'], store: ['pg'], strike: killed('postgres') },
  { name: 'mongo', what: 'SIGKILL of the MongoDB server', stores: ['mongo'], repeats: true, store: true, strike: killed('mongo') },
  { name: 'redis-stall', what: 'Redis stopped for 10 s', strike: stalled('redis') },
  { name: 'postgres-stall', what: 'PostgreSQL stopped for 10 s', store: ['pg'], strike: stalled('postgres') },
  { name: 'mongo-stall', what: 'the MongoDB server stopped for 10 s', stores: ['mongo'], store: true, strike: stalled('mongo') },
  {
    name: 'host', what: 'the second host killed whole', hosts: 2, dies: true, repeats: true, presence: 'death',
    async strike(w) { await w.hosts[1].kill(); },
  },
  {
    name: 'clock', what: "the second host's clock an hour ahead, and back", hosts: 2, clock: true,
    async strike(w) {
      w.hosts[1].step(3600);
      await hold(2000);
      w.hosts[1].step(0);
    },
  },
];
