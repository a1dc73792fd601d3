// What a device is told: texts, data, badge, and how the provider is to treat it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fcmSize } from '../fakes/fcm_message.mjs';
import { pushSuite } from './lib/pushd.mjs';

const TEXTS = `[new_message]
title = {senderName}
body = {content}
[new_message de]
title = Nachricht von {senderName}
[new_message pt-BR]
title = Mensagem de {senderName}
sound = ding.caf
[new_like]
title = {{likes} {count}
body = {who} likes you
sound =
`;

const templates = (w) => {
  const file = join(w.dir, 'texts.ini');
  writeFileSync(file, TEXTS);
  return { pushd: { push_templates: file } };
};

async function told(w, event, ...devices) {
  await w.queue(event);
  await w.settled();
  return devices.map((d) => w.shown(d)[0]);
}

async function both(w, columns = {}) {
  const user = randomUUID();
  return [user, await w.device(user, 'fcm', columns), await w.device(user, 'apns', columns)];
}

await pushSuite(templates, {
  async 'a message: text, data, badge, life, one per match'(w) {
    const [user, phone, iphone] = await both(w);
    const event = w.event(user, { senderName: 'Änne', content: 'Grüße 👋' }, { expiresAt: new Date(Date.now() + 600e3).toISOString() });
    const match = event.data.matchId;
    await w.unread(user, { [match]: 2, [randomUUID()]: 5 });
    const [{ message }, { headers, body }] = await told(w, event, phone, iphone);
    const data = { type: 'new_message', ...event.data };
    const ttl = message.android.ttl;
    assert.ok(parseInt(ttl, 10) > 500 && parseInt(ttl, 10) <= 600, ttl);
    assert.deepEqual(message, {
      token: phone.token, data, notification: { title: 'Änne', body: 'Grüße 👋' },
      android: { priority: 'HIGH', ttl, collapse_key: match, notification: { sound: 'default', tag: match, notification_count: 7 } },
      apns: {
        headers: { 'apns-push-type': 'alert', 'apns-priority': '10', 'apns-collapse-id': match, 'apns-expiration': message.apns.headers['apns-expiration'] },
        payload: { aps: { badge: 7, sound: 'default', 'thread-id': match } },
      },
    });
    assert.deepEqual(body, { aps: { alert: { title: 'Änne', body: 'Grüße 👋' }, badge: 7, sound: 'default', 'thread-id': match }, ...data });
    assert.deepEqual([headers['apns-push-type'], headers['apns-priority'], headers['apns-collapse-id'], headers['apns-topic']],
      ['alert', '10', match, w.providers.key.topics[0]]);
    for (const s of [headers['apns-expiration'], message.apns.headers['apns-expiration']])
      assert.equal(s, String(Math.floor(Date.parse(event.expiresAt) / 1000)));
  },

  async 'in the language of the device'(w) {
    const user = randomUUID();
    const locales = { de: 'Nachricht von Ann', 'de-AT': 'Nachricht von Ann', 'de_CH.UTF-8': 'Nachricht von Ann', pt_BR: 'Mensagem de Ann', 'pt-PT': 'Ann', fr: 'Ann' };
    const devices = await Promise.all(Object.keys(locales).map((locale) => w.device(user, 'apns', { locale })));
    const all = await told(w, w.event(user), ...devices);
    assert.deepEqual(all.map((r) => r.body.aps.alert.title), Object.values(locales));
    assert.deepEqual(all.map((r) => r.body.aps.sound), Object.keys(locales).map((l) => (l === 'pt_BR' ? 'ding.caf' : 'default')));
  },

  async 'types of the app, and data of any kind, as strings'(w) {
    const [user, phone, iphone] = await both(w);
    const event = { userId: user, type: 'new_like', data: { who: 'Zoë', count: 3, big: 2 ** 40, yes: true, none: null, list: [1, 'a'], deep: { a: { b: 1 } }, from: 'x', 'google.x': 'y' } };
    const [{ message }, { body }] = await told(w, event, phone, iphone);
    const data = { type: 'new_like', who: 'Zoë', count: '3', big: String(2 ** 40), yes: 'true', list: '[1,"a"]', deep: '{"a":{"b":1}}' };
    assert.deepEqual(message.data, data);
    assert.deepEqual(message.notification, { title: '{likes} 3', body: 'Zoë likes you' });
    const { aps, ...rest } = body;
    assert.deepEqual([rest, aps.sound, aps.alert.body], [data, undefined, 'Zoë likes you']);
  },

  async 'badge: where Redis does not know it, the store does; life: where nothing is said, push_ttl'(w) {
    const [user, phone, iphone] = await both(w);
    const m = await w.message(user);
    await w.message(user);
    await w.message(user, { deliveredAt: new Date() });
    await w.message(user, { deliveredAt: new Date(), readAt: new Date() });
    const before = Math.floor(Date.now() / 1000);
    const [{ message }, { headers, body }] = await told(w, w.eventOf(m, { expiresAt: undefined, queuedAt: undefined }), phone, iphone);
    assert.deepEqual([body.aps.badge, message.android.notification.notification_count, message.apns.payload.aps.badge], [3, 3, 3]);
    assert.ok(Math.abs(Number(headers['apns-expiration']) - before - 3600) < 60, headers['apns-expiration']);
  },

  async 'what is too large is cut between characters, and taken'(w) {
    for (const content of ['x'.repeat(6000), 'ü'.repeat(3000), '👋'.repeat(2000), '"\\\n'.repeat(2000)]) {
      const [user, phone, iphone] = await both(w);
      const [{ message }, { body, raw }] = await told(w, w.event(user, { content }), phone, iphone);
      for (const text of [message.notification.body, message.data.content, body.aps.alert.body, body.content]) {
        assert.ok(text.endsWith('…') && content.startsWith(text.slice(0, -1)) && text.isWellFormed(), text.slice(-9));
        assert.ok(text.length > 500, `${text.length}`);
      }
      assert.ok(fcmSize(message) <= 4096 && raw.length <= 4096 && raw.length > 4000, `${raw.length}`);
      assert.ok(body.messageId && message.data.matchId);
    }
  },

  async 'ids of any length and kind'(w) {
    for (const matchId of ['m'.repeat(200), 'ü', 'a b', '']) {
      const [user, phone, iphone] = await both(w);
      const [{ message }, { headers }] = await told(w, w.event(user, { matchId }), phone, iphone);
      assert.ok(headers['apns-collapse-id'].length > 0 && headers['apns-collapse-id'].length <= 64);
      assert.equal(message.android.collapse_key, headers['apns-collapse-id']);
    }
  },

  async 'new texts without a restart'(w) {
    writeFileSync(join(w.dir, 'texts.ini'), '[new_message]\ntitle = Neu\n');
    await w.daemon.reload();
    const [user, phone] = await both(w);
    const [{ message }] = await told(w, w.event(user), phone);
    assert.equal(message.notification.title, 'Neu');
    const failed = await w.daemon.metric('reloads_failed_total');
    writeFileSync(join(w.dir, 'texts.ini'), '[new_message]\ntitle = {unclosed\n');
    await w.daemon.reload();
    assert.equal(await w.daemon.metric('reloads_failed_total') - failed, 1);
    const [again, device] = await both(w);
    const [r] = await told(w, w.event(again), device);
    assert.equal(r.message.notification.title, 'Neu');
  },
});
