// All rows of a message store, whichever it is.
import { MongoClient, pg } from './packages.mjs';

const row = ({ id, sender, recipient, content, sentAt, deliveredAt, owe }) => ({
  id, sender, recipient, tempId: content, sentAt: sentAt.toISOString(), deliveredAt: deliveredAt?.getTime(), owes: Number(owe) !== 0,
});

async function fromPostgres(url) {
  const db = new pg.Client(url);
  db.on('error', () => {});
  await db.connect();
  try {
    const { rows } = await db.query(`SELECT id, sender_id AS sender, recipient_id AS recipient, content,
      sent_at AS "sentAt", delivered_at AS "deliveredAt", owe FROM messages`);
    return rows.map(row);
  } finally {
    await db.end();
  }
}

async function fromMongo(url) {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 5000 });
  try {
    await client.connect();
    const docs = await client.db().collection('messages').find().toArray();
    return docs.map((d) => row({ ...d, id: d._id.toHexString(), sender: d.senderId, recipient: d.recipientId }));
  } finally {
    await client.close();
  }
}

export const stored = ({ postgres, mongo }) => (mongo ? fromMongo(mongo.url) : fromPostgres(postgres.url));
