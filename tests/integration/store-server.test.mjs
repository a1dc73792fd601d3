// What the MongoDB of the tests must do for their results to count: FerretDB
// alone does not (tests/ferretdb/proxy.go).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MongoClient } from 'mongodb';
import { KIND } from './lib/store.mjs';

if (KIND === 'mongo') {
  const client = new MongoClient(process.env.PW_TEST_MONGODB_URI, { maxPoolSize: 16 });
  const docs = client.db(`pw_server_${process.pid}`).collection('docs');

  test('of concurrent conditional updates of a document one succeeds', async () => {
    for (let i = 0; i < 20; i++) {
      await docs.insertOne({ _id: i, readAt: null, n: 0 });
      const changed = await Promise.all(Array.from({ length: 16 }, (_, k) =>
        docs.updateOne({ _id: i, readAt: null }, { $set: { readAt: k }, $inc: { n: 1 } })));
      assert.equal(changed.filter((r) => r.modifiedCount === 1).length, 1);
      assert.equal((await docs.findOne({ _id: i })).n, 1);
    }
  });

  test('of concurrent inserts of an _id one succeeds', async () => {
    const tries = await Promise.allSettled(Array.from({ length: 16 }, (_, n) => docs.insertOne({ _id: 'same', n })));
    assert.equal(tries.filter((t) => t.status === 'fulfilled').length, 1);
    assert.ok(tries.every((t) => t.status === 'fulfilled' || t.reason.code === 11000));
  });

  test('an unacknowledged write does not upset the connection', async () => {
    const one = await new MongoClient(process.env.PW_TEST_MONGODB_URI, { maxPoolSize: 1 }).connect();
    const same = one.db(docs.dbName).collection('docs');
    for (let n = 0; n < 20; n++) {
      await same.insertOne({ _id: `w0-${n}` }, { writeConcern: { w: 0 } });
      assert.equal((await same.findOne({ _id: 'same' }))._id, 'same');
    }
    assert.equal(await same.countDocuments({ _id: /^w0-/ }), 20);
    await one.close();
  });

  test('closes', async () => {
    await docs.drop();
    await client.close();
  });
}
