// What a process costs, as the kernel counts it.
import { readdirSync, readFileSync } from 'node:fs';

// Seconds on a CPU, all threads together, user and system. (/proc/PID/stat
// counts in hundredths of a second, too coarse for a batch of connects.)
export function cpuSeconds(pid) {
  let ns = 0;
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    ns += Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0]);
  }
  return ns / 1e9;
}

// Bytes resident: all of it, and what of it is no file's: the heap, with the
// little that the stacks take.
export function memory(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)[1]) * 1024;
  return { rss: field('Rss'), heap: field('Anonymous') };
}

// The most that was ever resident, in bytes.
export function memoryPeak(pid) {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

// The descriptors a child may have.
export function descriptorLimit() {
  return Number(/^Max open files\s+\d+\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))[1].replace('unlimited', '1e9'));
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
