// A crowd that nobody knows has a worker parse as much as it can at one moment:
// others wait, but not so long that the master would take it for stuck.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { suite } from '../integration/lib/cluster.mjs';
import { eventually } from '../integration/lib/wait.mjs';
import { cpuSeconds } from './lib/process.mjs';

const POLLING = '/socket.io/?EIO=4&transport=polling';
const CLIENTS = 66;
const MAX_CPU_S = 4;	// the master kills after five seconds (stuck_timeout)

// Parsed in vain up to its end.
const CONNECT = `40{"a":[0${',0'.repeat(77400)},1e400]}`;
const BODY = Buffer.from(Array(6).fill(CONNECT).join('\x1e'));

// The socket of a POST that lacks its last byte.
async function almostPost(c) {
  const { sid } = JSON.parse((await (await fetch(c.url + POLLING)).text()).slice(1));
  const socket = connect(new URL(c.url).port, '127.0.0.1');
  const head = `POST ${POLLING}&sid=${sid} HTTP/1.1\r\nHost: x\r\nContent-Length: ${BODY.length}\r\n\r\n`;

  socket.on('error', () => {});	// refused, some of them
  socket.write(Buffer.concat([Buffer.from(head), BODY.subarray(0, -1)]));
  await eventually(() => socket.destroyed || socket.writableLength === 0, 'all of it is written');
  return socket;
}

await suite({ server: { workers: 1, stuck_timeout: '1h' } }, {
  async 'much to parse in one turn'(c) {
    const { pid } = (await c.status()).slots[0];
    const sockets = [];

    for (let i = 0; i < CLIENTS; i++) sockets.push(await almostPost(c));
    const before = cpuSeconds(pid);
    for (const s of sockets) s.write(BODY.subarray(-1));
    await (await fetch(`${c.url}/healthz`)).text();
    const worked = cpuSeconds(pid) - before;
    console.log(`figure: the worker had ${(worked * 1000).toFixed(0)} ms of CPU time before it answered another client`);
    assert.equal((await c.status()).slots[0].pid, pid);
    assert(worked < MAX_CPU_S);
    for (const s of sockets) s.destroy();
  },
});
