// nginx in front of a server, as contrib/ says.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './port.mjs';
import { eventually } from './wait.mjs';

const example = new URL('../../../contrib/nginx.conf.example', import.meta.url);
const children = new Set();
process.on('exit', () => { for (const n of children) n.stopNow(); });

function listens(port) {
  return new Promise((resolve) => {
    const s = connect(port, '127.0.0.1');
    s.once('connect', () => { s.destroy(); resolve(true); });
    s.once('error', () => resolve(false));
  });
}

export class Nginx {
  // keepalive: idle connections to the server that each nginx process keeps and
  // gives to whichever client's request comes next; 0: a new one each time.
  static async start(target, { keepalive = 0 } = {}) {
    const n = new Nginx();
    n.dir = mkdtempSync(join(tmpdir(), 'pw-nginx.'));
    n.port = await freePort();
    n.url = `http://127.0.0.1:${n.port}`;
    writeFileSync(join(n.dir, 'nginx.conf'), n.#conf());
    writeFileSync(join(n.dir, 'site.conf'), n.#site(new URL(target).host, keepalive));
    n.child = spawn('nginx', ['-p', n.dir, '-c', join(n.dir, 'nginx.conf'), '-e', 'stderr'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    });
    children.add(n);
    n.log = '';
    n.child.stderr.on('data', (d) => { n.log = (n.log + d).slice(-20000); });
    n.exited = new Promise((resolve) => { n.child.once('exit', resolve); });
    n.child.once('error', (err) => { n.log += err; });
    await eventually(async (note) => { note(n.log.slice(-500)); return listens(n.port); }, 'nginx listens');
    return n;
  }

  #conf() {
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((kind) => `${kind}_temp_path ${this.dir}/${kind};`).join('\n  ');
    return `${process.getuid() === 0 ? 'user root;' : ''}
daemon off;
pid ${this.dir}/pid;
worker_processes 2;
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  ${temp}
  include site.conf;
}
`;
  }

  // Ours, but for addresses and certificates.
  #site(server, keepalive) {
    const changes = [
      [/127\.0\.0\.1:3001/, server],
      [/listen 443 ssl;/, `listen 127.0.0.1:${this.port} backlog=4096;`],
      [/^ *(ssl_certificate|ssl_certificate_key|server_name) .*\n/gm, ''],
      [/keepalive 64;/, keepalive ? `keepalive ${keepalive};` : ''],
    ];
    if (!keepalive) changes.push([/keepalive_timeout 60s;/, ''], [/''( +)''/, "''$1close"]);
    let text = readFileSync(example, 'utf8');
    for (const [what, by] of changes) {
      assert.match(text, what);
      text = text.replace(what, by);
    }
    return text;
  }

  stopNow() {
    children.delete(this);
    this.child.kill('SIGTERM');
    rmSync(this.dir, { recursive: true, force: true });
  }

  async stop() {
    this.stopNow();
    await this.exited;
  }
}
