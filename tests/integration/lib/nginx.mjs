// nginx in front of a server, as operators run it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './wait.mjs';

const children = new Set();
process.on('exit', () => { for (const n of children) n.stopNow(); });

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

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
    writeFileSync(join(n.dir, 'nginx.conf'), n.#conf(new URL(target).host, keepalive));
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

  #conf(server, keepalive) {
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
  map $http_upgrade $connection_upgrade { default upgrade; '' '${keepalive ? '' : 'close'}'; }
  upstream pairwire { server ${server}; ${keepalive ? `keepalive ${keepalive};` : ''} }
  server {
    listen 127.0.0.1:${this.port} backlog=4096;
    client_max_body_size 2m;
    location /socket.io/ {
      proxy_pass http://pairwire;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_read_timeout 120s;
    }
  }
}
`;
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
