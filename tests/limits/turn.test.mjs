// A crowd that nobody knows has a worker parse as much as it can at one moment:
// others wait, but not for long, and the master does not take it for stuck.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { suite } from '../integration/lib/cluster.mjs';
import { eventually } from '../integration/lib/wait.mjs';

const POLLING = '/socket.io/?EIO=4&transport=polling';
const CLIENTS = 66;
const MAX_WAIT_MS = 4000;	// the master kills after five seconds

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

await suite({ server: { workers: 1 } }, {
  async 'much to parse in one turn'(c) {
    const { pid } = (await c.status()).slots[0];
    const sockets = [];

    for (let i = 0; i < CLIENTS; i++) sockets.push(await almostPost(c));
    for (const s of sockets) s.write(BODY.subarray(-1));
    const begin = Date.now();
    await (await fetch(`${c.url}/healthz`)).text();
    const waited = Date.now() - begin;
    console.log(`figure: another client waited ${waited} ms`);
    assert.equal((await c.status()).slots[0].pid, pid);
    assert(waited < MAX_WAIT_MS);
    for (const s of sockets) s.destroy();
  },
});
