// tests/conformance/echo: the protocol layers without any chat; and the
// requests of its clients.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { RawClient } from './client.mjs';
import { build } from './cluster.mjs';
import { until } from './wait.mjs';

// The numbers of the public suites.
export const suiteNumbers = { 'ping-interval': 300, 'ping-timeout': 200, 'connect-timeout': 1000, 'max-payload': 1000000 };
// For what pings would disturb; for what only a late answer would.
export const quiet = { ...suiteNumbers, 'ping-interval': 60000, 'connect-timeout': 60000 };
export const lively = { ...suiteNumbers, 'ping-timeout': 20000, 'connect-timeout': 60000 };

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

export class Echo {
  static async start(options) {
    const { child, url } = await startEcho(options);
    return new Echo(child, url, options.protocol ?? 'socket.io');
  }

  constructor(child, url, protocol) {
    Object.assign(this, { child, url, path: `/${protocol}/` });
  }

  // A WebSocket; query: instead of a handshake's.
  ws(options) {
    return new RawClient(this.url, { path: this.path, ...options });
  }

  // One with its open packet.
  async opened(options) {
    const r = this.ws(options);
    r.open = JSON.parse((await r.frame((f) => f[0] === '0')).slice(1));
    return r;
  }

  // -> { status, headers, body }; onSent: called when the request has left here.
  request(query, { method = 'GET', body, agent, headers, onSent } = {}) {
    return new Promise((resolve, reject) => {
      const req = request(`${this.url}${this.path}?${query}`, { method, agent, headers }, (res) => {
        const parts = [];
        res.on('data', (part) => parts.push(part));
        res.on('error', reject);
        res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(parts).toString() }));
      });
      req.on('error', reject);
      req.on('finish', () => onSent?.(req));
      req.end(body);
    });
  }

  async stop() {
    this.child.kill('SIGTERM');
    const [code, signal] = await until(this.child, 'exit');
    return { code, signal };
  }
}

// A polling session.
export class Poller {
  // Each its own connections: any worker may get the next request.
  agent = new Agent({ keepAlive: true });

  static async open(echo) {
    const p = new Poller();
    p.echo = echo;
    p.answer = await echo.request('EIO=4&transport=polling', { agent: p.agent });
    p.open = JSON.parse(p.answer.body.slice(1));
    p.query = `EIO=4&transport=polling&sid=${p.open.sid}`;
    return p;
  }

  get(options) {
    return this.echo.request(this.query, { agent: this.agent, ...options });
  }

  post(body, options) {
    return this.echo.request(this.query, { method: 'POST', body, agent: this.agent, ...options });
  }

  // A WebSocket for this session, up to "3probe".
  async probe() {
    const r = this.echo.ws({ query: `EIO=4&transport=websocket&sid=${this.open.sid}` });
    await until(r.ws, 'open');
    r.send('2probe');
    await r.frame((f) => f === '3probe');
    return r;
  }

  // Polls until the session is no more: the answers until then, and the last.
  async untilGone() {
    const before = [];
    for (;;) {
      const answer = await this.get();
      if (answer.status !== 200) return { before, answer };
      before.push(answer.body);
    }
  }

  close() { this.agent.destroy(); }
}
