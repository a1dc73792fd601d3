// What a message may be made of, by name and type: everything else is refused
// by FCM ("Cannot find field"), which would cost a real user a notification.
const MAX = 4096;

const type = (name, test) => ({ name, test });
const string = type('a string', (v) => typeof v === 'string');
const boolean = type('a boolean', (v) => typeof v === 'boolean');
const integer = type('an integer', Number.isInteger);
const strings = type('a list of strings', (v) => Array.isArray(v) && v.every(string.test));
const map = type('strings by name', (v) => isObject(v) && Object.values(v).every(string.test));
const any = type('an object', isObject);
const choice = (...names) => type(`one of ${names}`, (v) => names.includes(v));
const pattern = (name, re) => type(name, (v) => string.test(v) && re.test(v));
const seconds = pattern('a duration', /^\d+(\.\d{1,9})?s$/);
const TTL = type('a time to live', (v) => seconds.test(v) && parseFloat(v) <= 2419200);
const url = pattern('a URL', /^https?:\/\//);

const OPTIONS = { analytics_label: pattern('a label', /^[a-zA-Z0-9-_.~%]{1,50}$/) };
const ANDROID_NOTIFICATION = {
  title: string, body: string, icon: string, color: pattern('#rrggbb', /^#[0-9a-fA-F]{6}$/), sound: string, tag: string,
  click_action: string, body_loc_key: string, body_loc_args: strings, title_loc_key: string, title_loc_args: strings,
  channel_id: string, ticker: string, sticky: boolean, event_time: string, local_only: boolean,
  notification_priority: pattern('PRIORITY_…', /^PRIORITY_(UNSPECIFIED|MIN|LOW|DEFAULT|HIGH|MAX)$/),
  default_sound: boolean, default_vibrate_timings: boolean, default_light_settings: boolean,
  vibrate_timings: type('durations', (v) => Array.isArray(v) && v.every(seconds.test)),
  visibility: choice('PRIVATE', 'PUBLIC', 'SECRET'), notification_count: integer, light_settings: any, image: url,
};
const MESSAGE = {
  name: string, token: string, topic: pattern('a topic', /^[a-zA-Z0-9-_.~%]+$/), condition: string,
  data: map,
  notification: { title: string, body: string, image: url },
  android: {
    collapse_key: string, priority: choice('HIGH', 'NORMAL'), ttl: TTL, restricted_package_name: string, data: map,
    direct_boot_ok: boolean, fcm_options: OPTIONS, notification: ANDROID_NOTIFICATION,
  },
  apns: {
    headers: map, payload: { aps: any }, live_activity_token: string,
    fcm_options: { ...OPTIONS, image: url },
  },
  webpush: { headers: map, data: map, notification: any, fcm_options: { ...OPTIONS, link: url } },
  fcm_options: OPTIONS,
};
const BODY = { message: MESSAGE, validate_only: boolean };

const APS = {
  alert: type('an alert', (v) => string.test(v) || isObject(v)), badge: type('a count', (v) => integer.test(v) && v >= 0),
  sound: type('a sound', (v) => string.test(v) || isObject(v)), 'content-available': choice(0, 1), 'mutable-content': choice(0, 1),
  category: string, 'thread-id': string, 'interruption-level': choice('passive', 'active', 'time-sensitive', 'critical'),
  'relevance-score': type('a score', Number.isFinite), 'target-content-id': string, 'filter-criteria': string,
};

function isObject(v) {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

// proto3 JSON has both spellings
const snake = (name) => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

function walk(value, schema, at, wrong) {
  if (schema.test) {
    if (!schema.test(value)) wrong.push({ field: at, text: `not ${schema.name}` });
    return;
  }
  if (!isObject(value)) {
    wrong.push({ field: at, text: 'not an object' });
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    const row = schema[name] ?? schema[snake(name)];
    if (row) walk(inner, row, at ? `${at}.${name}` : name, wrong);
    else if (at !== 'message.apns.payload') wrong.push({ field: `${at}.${name}`, text: 'Cannot find field.' });
  }
}

const FORBIDDEN = /^(from|message_type|google.*|gcm.*)$/;

// Bytes of keys and values: what FCM counts of a message.
export function fcmSize(m) {
  let n = 0;
  const count = (v, key = '') => {
    n += Buffer.byteLength(key);
    if (isObject(v)) for (const [k, inner] of Object.entries(v)) count(inner, k);
    else n += Buffer.byteLength(string.test(v) ? v : JSON.stringify(v));
  };
  for (const part of [m.data, m.notification, m.android?.notification]) if (part) count(part);
  return n;
}

// aps, of both providers. -> [{ field, text }]
export function checkAps(aps, at) {
  const wrong = [];
  walk(aps, APS, at, wrong);
  return wrong;
}

// Of a whole request body; empty: FCM would take it.
export function checkFcmMessage(body) {
  const wrong = [];
  const must = (is, field, text) => { if (!is) wrong.push({ field, text }); };
  walk(body, BODY, '', wrong);
  const m = body?.message;
  if (!isObject(m)) return [...wrong, { field: 'message', text: 'missing' }];
  must(['token', 'topic', 'condition'].filter((k) => k in m).length === 1, 'message', 'not exactly one target');
  must(!('token' in m) || m.token !== '', 'message.token', 'empty');
  for (const [at, data] of [['message.data', m.data], ['message.android.data', m.android?.data]])
    for (const key of Object.keys(data ?? {})) must(key !== '' && !FORBIDDEN.test(key), `${at}.${key}`, 'Invalid data payload key');
  must(fcmSize(m) <= MAX, 'message', `${fcmSize(m)} bytes: Android message is too big`);
  if (m.apns?.payload) {
    if (m.apns.payload.aps) wrong.push(...checkAps(m.apns.payload.aps, 'message.apns.payload.aps'));
    const size = Buffer.byteLength(JSON.stringify(m.apns.payload));
    must(size <= MAX, 'message.apns.payload', `${size} bytes`);
    const id = m.apns.headers?.['apns-collapse-id'];
    must(id === undefined || Buffer.byteLength(id) <= 64, 'message.apns.headers.apns-collapse-id', 'longer than 64');
  }
  return wrong;
}
