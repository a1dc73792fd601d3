// A free port for a server that is told its port. None of the range that the
// kernel gives to connections: one of these would have it before the server does,
// or while the server is started anew. Run: prints as many as are asked for.
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

// Gives free ones of n from first on, each once.
export function portsOf(first, n) {
  const given = new Set();
  return async function freePort() {
    for (;;) {
      const port = first + Math.floor(Math.random() * n);
      if (given.has(port)) continue;
      given.add(port);
      const free = await new Promise((done) => {
        const probe = createServer().once('error', () => done(false));
        probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
      });
      if (free) return port;
    }
  };
}

export const FIRST = 12000;
export const freePort = portsOf(FIRST, 20000);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const ports = [];
  for (let n = Number(process.argv[2] ?? 1); n > 0; n--) ports.push(await freePort());
  console.log(ports.join(' '));
}
