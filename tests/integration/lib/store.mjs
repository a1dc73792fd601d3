// The message store as the tests see it: rows of a match, whichever it is.
import { Long, MongoClient, ObjectId } from 'mongodb';

export const KIND = process.env.PW_TEST_STORE || 'pg';

const time = (t) => (t ? t.toISOString() : null);

function row({ id, matchId, senderId, recipientId, content, type, mediaUrl, sentAt, deliveredAt, readAt }) {
  return {
    id, matchId, senderId, recipientId, content, type, mediaUrl: mediaUrl ?? null,
    sentAt: time(sentAt), deliveredAt: time(deliveredAt), readAt: time(readAt),
  };
}

// -> { url (for the configuration), messages(matchId), owes(matchId): when their
//      pushes fall due, µs, 0: nothing owed; orphan(id, newId): a copy of the
//      message, due now, as if accepted by a worker that died with it; put(m): a
//      message as a worker would leave it; one(id): { deliveredAt, owe }; close() }
export async function openStore(kind, pg, databaseName) {
  if (kind === 'pg') return pgStore(pg);
  const url = new URL(process.env.PW_TEST_MONGODB_URI);
  url.pathname = `/${databaseName}`;
  return mongoStore(url.href);
}

function pgStore(pg) {
  return {
    url: '',
    async messages(matchId) {
      const { rows } = await pg.query('SELECT * FROM messages WHERE match_id = $1 ORDER BY sent_at, id', [matchId]);
      return rows.map((r) => row({
        id: r.id, matchId: r.match_id, senderId: r.sender_id, recipientId: r.recipient_id,
        content: r.content, type: r.type, mediaUrl: r.media_url,
        sentAt: r.sent_at, deliveredAt: r.delivered_at, readAt: r.read_at,
      }));
    },
    async owes(matchId) {
      const { rows } = await pg.query('SELECT owe FROM messages WHERE match_id = $1', [matchId]);
      return rows.map((r) => Number(r.owe));
    },
    async orphan(id, newId) {
      const at = Date.now();
      await pg.query(`INSERT INTO messages SELECT (m).* FROM (
        SELECT jsonb_populate_record(messages, $2::jsonb) AS m FROM messages WHERE id = $1) AS copy`, [id, JSON.stringify({
        id: newId, temp_id: null, sent_at: new Date(at).toISOString(), delivered_at: null, read_at: null,
        pos: at * 1000, chg: at * 1000, owe: at * 1000, src: 'gone:0:1',
      })]);
    },
    async put(m) {
      const pos = m.sentAt.getTime() * 1000;
      await pg.query(`INSERT INTO messages (id, match_id, sender_id, recipient_id, content, type, pos, src, sent_at,
        delivered_at, read_at, owe, chg) VALUES ($1, $2, $3, $4, $5, 'text', $6, 'test:0:1', $7, $8, $9, $10, $6)`,
      [m.id, m.matchId, m.senderId, m.recipientId, m.content, pos, m.sentAt, m.deliveredAt, m.readAt, m.owe]);
    },
    async one(id) {
      const { rows: [r] } = await pg.query('SELECT * FROM messages WHERE id = $1', [id]);
      return { deliveredAt: time(r.delivered_at), owe: Number(r.owe) };
    },
    async close() {},
  };
}

async function mongoStore(url) {
  const client = await new MongoClient(url, { maxPoolSize: 2 }).connect();
  const db = client.db();
  return {
    url,
    async messages(matchId) {
      const docs = await db.collection('messages').find({ matchId }).sort({ sentAt: 1, _id: 1 }).toArray();
      return docs.map((d) => row({ ...d, id: d._id.toHexString() }));
    },
    async owes(matchId) {
      return (await db.collection('messages').find({ matchId }).toArray()).map((d) => Number(d.owe));
    },
    async orphan(id, newId) {
      const at = Date.now();
      const us = Long.fromNumber(at * 1000);
      const doc = await db.collection('messages').findOne({ _id: new ObjectId(id) });
      await db.collection('messages').insertOne({
        ...doc, _id: new ObjectId(newId), tempId: null, sentAt: new Date(at), deliveredAt: null, readAt: null,
        pos: us, chg: us, owe: us, src: 'gone:0:1',
      });
    },
    async put(m) {
      const pos = Long.fromNumber(m.sentAt.getTime() * 1000);
      const { id, owe, ...rest } = m;
      await db.collection('messages').insertOne({
        ...rest, _id: new ObjectId(id), type: 'text', mediaUrl: null, tempId: null,
        pos, chg: pos, src: 'test:0:1', owe: Long.fromNumber(owe),
      });
    },
    async one(id) {
      const d = await db.collection('messages').findOne({ _id: new ObjectId(id) });
      return { deliveredAt: time(d.deliveredAt), owe: Number(d.owe) };
    },
    async close() {
      await db.dropDatabase();
      await client.close();
    },
  };
}
