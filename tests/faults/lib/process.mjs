// Programs under the harness: nothing of them outlives it.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { isGone } from '../../integration/lib/gone.mjs';
import { FIRST, portsOf } from '../../integration/lib/port.mjs';
import { memory } from '../../limits/lib/process.mjs';
import { eventually, withDeadline } from '../../integration/lib/wait.mjs';

// setpriv has the kernel kill it when we die, however that comes.
export class Program {
  constructor(name, command, { log, env = {}, user, stdout } = {}) {
    const as = user && process.getuid() === 0 ? ['--reuid', user, '--regid', user, '--init-groups'] : [];
    const fd = openSync(log, 'a');
    this.name = name;
    this.child = spawn('setpriv', [...as, '--pdeathsig', 'KILL', '--', ...command], {
      env: { ...process.env, ...env }, cwd: '/', stdio: ['ignore', stdout ?? fd, fd],
    });
    closeSync(fd);
    this.exited = new Promise((done) => {
      this.child.once('exit', (code, signal) => { this.exit = { code, signal }; done(this.exit); });
    });
  }

  get pid() { return this.child.pid; }

  // The process and all below it, parents first.
  tree() { return [this.pid, ...descendants(this.pid)]; }

  // Parents first: who is stopped starts nothing more.
  signal(name, pids = this.tree()) {
    for (const pid of pids) {
      try { process.kill(pid, name); } catch { /* gone */ }
    }
  }

  freeze() { this.signal('SIGSTOP'); }
  thaw() { this.signal('SIGCONT', this.tree().reverse()); }

  // Sudden death of everything in it.
  async kill() {
    const pids = this.tree();
    this.signal('SIGSTOP', pids);
    this.signal('SIGKILL', [...new Set([...pids, ...this.tree()])]);
    await withDeadline(this.exited, 30000, `the end of ${this.name}`);
    await eventually(() => pids.every(isGone), `the end of all of ${this.name}`);
  }

  async stop(signal = 'SIGTERM') {
    if (this.exit) return this.exit;
    this.child.kill(signal);
    return withDeadline(this.exited, 90000, `the end of ${this.name} by ${signal}`);
  }
}

function descendants(parent) {
  const children = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number)) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const ppid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(ppid, [...children.get(ppid) ?? [], pid]);
    } catch { /* gone */ }
  }
  const below = (pid) => (children.get(pid) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(parent);
}

// Bytes resident; 0 for a process that is gone.
export function rss(pid) {
  try { return memory(pid).rss; } catch { return 0; }
}

// A server that dies has to find its port free when it comes back: they are of a
// share that rows which run at the same time do not have.
const SHARE = 200;
export const freePort = portsOf(FIRST + (process.pid % 100) * SHARE, SHARE);
