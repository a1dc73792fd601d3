// APNs over HTTP/2 with token authentication.
// https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
import { randomUUID } from 'node:crypto';
import { FakeServer } from './server.mjs';
import { checkAps } from './fcm_message.mjs';
import { parseJwt, signedBy } from './jwt.mjs';

// "Handling notification responses from APNs"
export const APNS_REASONS = {
  BadCollapseId: 400, BadDeviceToken: 400, BadExpirationDate: 400, BadMessageId: 400, BadPriority: 400, BadTopic: 400,
  DeviceTokenNotForTopic: 400, DuplicateHeaders: 400, IdleTimeout: 400, InvalidPushType: 400, MissingDeviceToken: 400,
  MissingTopic: 400, PayloadEmpty: 400, TopicDisallowed: 400,
  BadCertificate: 403, BadCertificateEnvironment: 403, BadEnvironmentKeyIdInToken: 403, ExpiredProviderToken: 403,
  Forbidden: 403, InvalidProviderToken: 403, MissingProviderToken: 403, UnrelatedKeyIdInToken: 403,
  BadPath: 404, MethodNotAllowed: 405, ExpiredToken: 410, Unregistered: 410, PayloadTooLarge: 413,
  TooManyProviderTokenUpdates: 429, TooManyRequests: 429, InternalServerError: 500, ServiceUnavailable: 503, Shutdown: 503,
};
const MAX = 4096;
const HOUR_S = 3600;
const UPDATE_S = 1200;
const SKEW_S = 10;
const TYPES = ['alert', 'background', 'location', 'voip', 'complication', 'fileprovider', 'mdm', 'liveactivity',
  'pushtotalk', 'controls', 'widgets'];
const ONCE = ['apns-id', 'apns-topic', 'apns-push-type', 'apns-priority', 'apns-expiration', 'apns-collapse-id'];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

// The behaviour of a reason; more: timestamp (ms), retryAfter and the like.
export function apnsError(reason, more = {}) {
  return { status: APNS_REASONS[reason], reason, ...more };
}

export class ApnsFake extends FakeServer {
  #keys = new Map();	// key id -> { team, publicKey, topics }
  #iat = new Map();	// key id -> that of its newest token

  // Until a provider token was accepted, a connection takes one stream.
  constructor(tls, name = 'apns') {
    super(name, { ...tls, limit: 1000, firstLimit: 1 });
  }

  add({ keyId, team, publicKey, topics }) { this.#keys.set(keyId, { team, publicKey, topics }); }

  judge(r) {
    const id = r.headers['apns-id'] ?? randomUUID();
    const refuse = (reason, text, more) => ({ ...answer(reason, id), wrong: [`${reason}: ${text}`], ...more });
    const topic = r.headers['apns-topic'];
    if (r.method !== 'POST') return refuse('MethodNotAllowed', r.method);
    const [, token] = /^\/3\/device\/(.*)$/.exec(r.path) ?? [];
    if (token === undefined) return refuse('BadPath', r.path);
    r.token = token;
    r.collapse = r.headers['apns-collapse-id'];
    r.topic = topic;
    const [refused, why] = this.#provider(r, topic);
    if (refused) return refuse(refused, why, { unauthorized: true });
    if (token === '') return refuse('MissingDeviceToken', '');
    if (!/^([0-9a-fA-F]{2})+$/.test(token)) return refuse('BadDeviceToken', `${token.length} characters that are not hex`);
    const [reason, text] = checkHeaders(r.headers, topic) ?? checkBody(r) ?? [];
    if (reason) return refuse(reason, text);
    return { status: 200, headers: { 'apns-id': id }, body: '' };
  }

  // The token that says whose notification it is; -> [reason, why] when refused.
  #provider(r, topic) {
    const bearer = /^bearer (\S+)$/i.exec(r.headers.authorization ?? '')?.[1];
    if (!bearer) return ['MissingProviderToken', 'no bearer token'];
    const jwt = parseJwt(bearer);
    const key = jwt && this.#keys.get(jwt.header.kid);
    if (!key) return ['InvalidProviderToken', `kid ${jwt?.header.kid}`];
    const { iss, iat } = jwt.claims;
    if (iss !== key.team) return ['InvalidProviderToken', `iss ${iss}`];
    if (!signedBy(jwt, 'ES256', key.publicKey)) return ['InvalidProviderToken', 'a signature that is not the key\'s'];
    const now = Date.now() / 1000;
    if (!Number.isInteger(iat) || iat > now + SKEW_S) return ['InvalidProviderToken', `iat ${iat}`];
    if (iat <= now - HOUR_S) return ['ExpiredProviderToken', `iat ${iat}`];
    const last = this.#iat.get(jwt.header.kid);
    if (last !== undefined && iat !== last && Math.abs(iat - last) < UPDATE_S) return ['TooManyProviderTokenUpdates', `iat ${last}, then ${iat}`];
    this.#iat.set(jwt.header.kid, Math.max(iat, last ?? 0));
    Object.assign(r, { keyId: jwt.header.kid, iat });
    if (topic && !key.topics.includes(topic.replace(/\.(voip|complication|pushkit\.fileprovider|push-type\.liveactivity|voip-ptt)$/, '')))
      return ['TopicDisallowed', topic];
    return [];
  }

  failure(b, r) {
    return answer(b.reason, r.headers['apns-id'] ?? randomUUID(), b);
  }
}

function answer(reason, id, { status = APNS_REASONS[reason], timestamp } = {}) {
  return { status, reason, headers: { 'apns-id': id, 'content-type': 'application/json' }, body: JSON.stringify({ reason, timestamp }) };
}

function checkHeaders(h, topic) {
  const double = ONCE.find((name) => Array.isArray(h[name]) || String(h[name] ?? '').includes(','));
  if (double) return ['DuplicateHeaders', double];
  if (!topic) return ['MissingTopic', ''];
  if (!TYPES.includes(h['apns-push-type'])) return ['InvalidPushType', `${h['apns-push-type']}`];
  const priority = h['apns-priority'] ?? '10';
  if (!['10', '5', '1'].includes(priority)) return ['BadPriority', priority];
  if (h['apns-push-type'] === 'background' && priority !== '5') return ['BadPriority', `${priority} for background`];
  if (!/^\d+$/.test(h['apns-expiration'] ?? '0')) return ['BadExpirationDate', h['apns-expiration']];
  const collapse = h['apns-collapse-id'];
  if (collapse !== undefined && (collapse === '' || Buffer.byteLength(collapse, 'latin1') > 64)) return ['BadCollapseId', `${collapse.length} bytes`];
  if (h['apns-id'] !== undefined && !UUID.test(h['apns-id'])) return ['BadMessageId', h['apns-id']];
  return undefined;
}

function checkBody(r) {
  if (r.headers['content-encoding']) return ['PayloadEmpty', `content-encoding ${r.headers['content-encoding']}`];
  if (r.raw.length === 0) return ['PayloadEmpty', ''];
  if (r.raw.length > MAX) return ['PayloadTooLarge', `${r.raw.length} bytes`];
  try {
    r.body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(r.raw));
  } catch (err) {
    return ['PayloadEmpty', `no JSON: ${err.message}`];
  }
  const aps = r.body?.aps;
  if (typeof aps !== 'object' || aps === null) return ['PayloadEmpty', 'no aps'];
  const [first] = checkAps(aps, 'aps');
  if (first) return ['PayloadEmpty', `${first.field}: ${first.text}`];
  if (r.headers['apns-push-type'] === 'background' && (aps['content-available'] !== 1 || 'alert' in aps || 'sound' in aps))
    return ['InvalidPushType', 'a background notification that is none'];
  if (r.headers['apns-push-type'] === 'alert' && !('alert' in aps || 'badge' in aps || 'sound' in aps)) return ['InvalidPushType', 'an alert without one'];
  return undefined;
}
