// Prometheus' text format 0.0.4, read strictly: what its documentation calls
// for, and the conventions for names.
import assert from 'node:assert/strict';

const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/;

function labels(text, line) {
  const out = {};
  for (let rest = text; rest !== '';) {
    const [all, name, value] = LABEL.exec(rest) ?? assert.fail(`labels of ${line}`);
    assert.ok(!(name in out), line);
    out[name] = value.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));
    rest = rest.slice(all.length);
  }
  return out;
}

function sample(line) {
  const [, name, inside = '', value] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?\d+(?:\.\d+)?)$/.exec(line) ?? assert.fail(`no sample: ${line}`);
  return { name, labels: labels(inside, line), value: Number(value) };
}

function checkHistogram(name, samples) {
  const series = new Map();
  for (const s of samples) {
    const { le, ...others } = s.labels;
    const key = JSON.stringify(others);
    if (!series.has(key)) series.set(key, { buckets: [] });
    const one = series.get(key);
    if (s.name === `${name}_bucket`) one.buckets.push([le === '+Inf' ? Infinity : Number(le), s.value]);
    else one[s.name.slice(name.length + 1)] = s.value;
    assert.equal(s.name === `${name}_bucket`, le !== undefined, name);
  }
  for (const { buckets, sum, count } of series.values()) {
    for (let i = 1; i < buckets.length; i++) {
      assert.ok(buckets[i][0] > buckets[i - 1][0] && buckets[i][1] >= buckets[i - 1][1], name);
    }
    assert.deepEqual(buckets.at(-1), [Infinity, count], name);
    assert.ok(sum >= 0 && (count > 0 || sum === 0), name);
  }
}

// Map of family name -> { type, help, samples: [{ name, labels, value }] }.
export function parse(text) {
  assert.ok(text.endsWith('\n'));
  const families = new Map();
  const seen = new Set();
  let at;
  for (const line of text.slice(0, -1).split('\n')) {
    const [, what, name, rest] = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line) ?? [];
    if (what === 'HELP') {
      assert.ok(!families.has(name), `twice: ${line}`);
      at = { name, help: rest, samples: [] };
      families.set(name, at);
    } else if (what === 'TYPE') {
      assert.equal(name, at?.name, `not behind its HELP: ${line}`);
      assert.equal(at.type, undefined);
      assert.match(rest, /^(counter|gauge|histogram)$/);
      at.type = rest;
      assert.equal(name.endsWith('_total'), rest === 'counter', line);
    } else {
      const s = sample(line);
      const names = at?.type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => at.name + end) : [at?.name];
      assert.ok(at?.type && names.includes(s.name), `not where it belongs: ${line}`);
      const key = `${s.name} ${JSON.stringify(Object.entries(s.labels).sort())}`;
      assert.ok(!seen.has(key), `twice: ${line}`);
      seen.add(key);
      if (at.type !== 'gauge') assert.ok(s.value >= 0, line);
      at.samples.push(s);
    }
  }
  for (const f of families.values()) if (f.type === 'histogram') checkHistogram(f.name, f.samples);
  return families;
}

// The sum over all series of a name.
export function sum(families, name) {
  const samples = [...families.values()].flatMap((f) => f.samples).filter((s) => s.name === name);
  assert.ok(samples.length > 0, `no ${name}`);
  return samples.reduce((n, s) => n + s.value, 0);
}
