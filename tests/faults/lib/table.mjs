// The books as a table, a row a line.
const s = (n) => (n === undefined ? '-' : `${(n / 1000).toFixed(1)} s`);

const COLUMNS = [
  ['row', 20, (r) => `${r.round > 1 ? `${r.round}. ` : ''}${r.name}`],
  ['clients', 16, (r) => r.line.mix],
  ['sent', 6, (r) => r.line.sent],
  ['stored', 7, (r) => r.line.stored],
  ['received', 9, (r) => r.line.received],
  ['recovered', 9, (r) => r.line.recovered],
  ['dup', 4, (r) => r.line.duplicates],
  ['again', 6, (r) => r.line.again],
  ['disorder', 9, (r) => r.line.disorder],
  ['lost', 5, (r) => r.line.lost],
  ['pushed', 7, (r) => r.line.pushed],
  ['surplus', 8, (r) => r.line.surplus],
  ['false', 6, (r) => r.line.false],
  ['presence', 9, (r) => s(r.line.presence)],
  ['recovery', 9, (r) => s(r.line.recovery)],
  ['growth', 8, (r) => (r.line.growth === undefined ? '-' : `${r.line.growth.toFixed(1)} MB`)],
  ['', 12, (r) => `${r.ok ? 'ok' : 'FAIL'} (${r.seconds.toFixed(0)} s)`],
];

const join = (cell) => COLUMNS.map(([name, width, of], i) => {
  const text = String(cell(name, of) ?? '-');
  return i < 2 ? text.padEnd(width) : text.padStart(width);
}).join(' ').trimEnd();

export const header = () => join((name) => name);
export const line = (row) => join((_, of) => of(row));
