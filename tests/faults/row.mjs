// One row in a process of its own, started by main.mjs: the job comes as an
// argument, the result goes back as a message.
import { ROWS } from './lib/rows.mjs';
import { play } from './lib/play.mjs';

process.on('disconnect', () => process.exit(1));

const job = JSON.parse(process.argv[2]);
const row = ROWS.find((r) => r.name === job.row);
const so = (what) => (Array.isArray(what) ? what.includes(job.store) : what);
const result = await play({ ...job, row: { ...row, repeats: so(row.repeats), store: so(row.store) } });
process.send(result, () => process.exit());
