// systemd's end of sd_notify(3): hears what a service tells it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DEADLINE, eventually, withDeadline } from './wait.mjs';

// Node has no datagram sockets of UNIX; perl-base is everywhere in Debian.
const LISTEN = `
  use Socket;
  socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
  bind($s, sockaddr_un($ARGV[0])) or die "bind: $!";
  $| = 1;
  print "listening\\n";
  while (defined recv($s, my $text, 65536, 0)) { print "$text\\n" }`;

export class Systemd {
  heard = [];	// assignments, as they came

  static async start() {
    const s = new Systemd();
    s.dir = mkdtempSync(join(tmpdir(), 'pw-notify.'));
    s.path = join(s.dir, 'socket');
    s.process = spawn('perl', ['-e', LISTEN, s.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    process.on('exit', () => s.process.kill('SIGKILL'));
    const lines = createInterface({ input: s.process.stdout });
    await withDeadline(once(lines, 'line'), DEADLINE, 'a socket');
    lines.on('line', (line) => s.heard.push(line));
    return s;
  }

  // The services that fn starts talk to it.
  async with(watchdogMs, fn) {
    Object.assign(process.env, { NOTIFY_SOCKET: this.path, WATCHDOG_USEC: String(watchdogMs * 1000) });
    try {
      return await fn();
    } finally {
      delete process.env.NOTIFY_SOCKET;
      delete process.env.WATCHDOG_USEC;
    }
  }

  // What was said from now on, but for what comes by itself.
  mark() {
    const from = this.heard.length;
    return () => this.heard.slice(from).filter((line) => !/^(WATCHDOG|STATUS|EXTEND_TIMEOUT_USEC)=/.test(line));
  }

  count(pattern) { return this.heard.filter((line) => pattern.test(line)).length; }

  async hears(pattern, n = 1, ms = undefined) {
    return eventually((note) => {
      note(this.heard.slice(-5));
      return this.count(pattern) >= n;
    }, `${n} x ${pattern}`, ms);
  }

  stop() {
    this.process.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
