// An app's own schema, mapped as pairwire-operations(7) says: what stands there
// is what is run here.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Cluster } from './lib/cluster.mjs';
import { eventually } from './lib/wait.mjs';

// The literal blocks of the page's section.
const page = readFileSync(new URL('../../man/pairwire-operations.7', import.meta.url), 'utf8');
const section = page.slice(page.indexOf('.Sh MAPPING AN EXISTING SCHEMA'));
const [views, triggers] = [...section.matchAll(/^\.Bd -literal.*\n([^]*?)^\.Ed$/gm)].map((m) => m[1])
  .filter((sql) => /^(CREATE|SELECT)/.test(sql));

// As Prisma makes them, with ids that are no text.
const TABLES = `
  CREATE TABLE "User" (id uuid PRIMARY KEY, "firstName" text NOT NULL, "lastSeen" timestamptz, email text);
  CREATE TABLE "Match" (id uuid PRIMARY KEY, "userAId" uuid NOT NULL REFERENCES "User", "userBId" uuid NOT NULL REFERENCES "User",
    "unmatchedAt" timestamptz, "lastMessageAt" timestamptz);
  CREATE INDEX ON "Match" ("userAId"); CREATE INDEX ON "Match" ("userBId");
  CREATE TYPE "Provider" AS ENUM ('FCM', 'APNS');
  CREATE TABLE "Device" (id uuid PRIMARY KEY, "userId" uuid NOT NULL REFERENCES "User", "pushToken" text NOT NULL,
    platform text NOT NULL, provider "Provider" NOT NULL, "updatedAt" timestamptz);
  CREATE INDEX ON "Device" ("userId");`;

const cluster = await Cluster.start({}, {
  before: (pg) => pg.query(TABLES + views),
  after: (pg) => pg.query(triggers),
});
after(async () => {
  assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
  await cluster.cleanUp();
});

test('a chat on views: matches are found, ended at once, and written back', { timeout: 60000 }, async () => {
  const [a, b, match] = [randomUUID(), randomUUID(), randomUUID()];
  await cluster.pg.query('INSERT INTO "User" (id, "firstName") VALUES ($1, \'Ann\'), ($2, \'Ben\')', [a, b]);
  await cluster.pg.query('INSERT INTO "Match" (id, "userAId", "userBId") VALUES ($1, $2, $3)', [match, a, b]);
  const ca = await cluster.connect(a);
  const cb = await cluster.connect(b);
  const { messageId } = await ca.send(match, 'hello');
  assert.equal((await cb.got('message:new')).id, messageId);
  await ca.got('message:delivered', (d) => d.messageId === messageId);

  const read = async (sql, id) => Object.values((await cluster.pg.query(sql, [id])).rows[0])[0];
  await eventually(() => read('SELECT "lastMessageAt" FROM "Match" WHERE id = $1', match), 'lastMessageAt is written');
  cb.close();
  await eventually(() => read('SELECT "lastSeen" FROM "User" WHERE id = $1', b), 'lastSeen is written');

  await cluster.pg.query('UPDATE "Match" SET "unmatchedAt" = now() WHERE id = $1', [match]);
  const answer = await eventually(async () => {
    const got = await ca.ask('message:send', { matchId: match, content: 'still there?' });
    return !got.ok && got;
  }, 'the end of the match is known');
  assert.equal(answer.code, 'INVALID_MATCH');
});
