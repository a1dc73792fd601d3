import { readdirSync, readFileSync } from 'node:fs';

// A process that is gone, or a zombie that nobody has buried yet. As long as one
// of its threads is still ending, its sockets are open.
export function isGone(pid) {
  try {
    return /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
      && readdirSync(`/proc/${pid}/task`).length === 1;
  } catch {
    return true;
  }
}
