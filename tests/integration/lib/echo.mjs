// tests/conformance/echo: the protocol layers without any chat.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from './cluster.mjs';
import { until } from './wait.mjs';

// options: as on its command line; true for one without a value.
export async function startEcho(options = {}) {
  const log = openSync(join(process.env.PW_TEST_OUT || tmpdir(), 'echo.log'), 'a');
  const args = Object.entries({ port: 0, ...options }).flatMap(([k, v]) => (v === true ? [`--${k}`] : [`--${k}`, String(v)]));
  const child = spawn(join(build, 'tests/conformance/echo'), args, { stdio: ['ignore', 'pipe', log] });
  closeSync(log);
  process.on('exit', () => child.kill('SIGKILL'));
  const [line] = await until(createInterface(child.stdout), 'line', (l) => l.startsWith('listening on port'));
  return { child, url: `http://127.0.0.1:${line.split(' ').pop()}` };
}
