// FCM HTTP v1 messages:send.
// https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
import { randomBytes } from 'node:crypto';
import { FakeServer } from './server.mjs';
import { checkFcmMessage } from './fcm_message.mjs';

const TYPE = 'type.googleapis.com/';

// status, canonical status, with the detail FcmError?
// https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
const ERRORS = {
  UNREGISTERED: [404, 'NOT_FOUND', 'Requested entity was not found.'],
  INVALID_ARGUMENT: [400, 'INVALID_ARGUMENT', 'The registration token is not a valid FCM registration token'],
  SENDER_ID_MISMATCH: [403, 'PERMISSION_DENIED', 'SenderId mismatch'],
  THIRD_PARTY_AUTH_ERROR: [401, 'UNAUTHENTICATED', 'Auth error from APNS or Web Push Service'],
  QUOTA_EXCEEDED: [429, 'RESOURCE_EXHAUSTED', 'Quota exceeded for quota metric'],
  UNAVAILABLE: [503, 'UNAVAILABLE', 'The service is currently unavailable.'],
  INTERNAL: [500, 'INTERNAL', 'Internal error encountered.'],
};

const error = (code, status, message, details = []) => ({ error: { code, message, status, details } });
const json = (status, body) => ({ status, headers: { 'content-type': 'application/json; charset=UTF-8' }, body: JSON.stringify(body) });

// The behaviour of an FCM error code; more: retryAfter and the like.
export function fcmError(errorCode, more = {}) {
  const [status, canonical, message] = ERRORS[errorCode];
  return {
    status, reason: errorCode, ...more,
    body: JSON.stringify(error(status, canonical, message, [{ '@type': `${TYPE}google.firebase.fcm.v1.FcmError`, errorCode }])),
  };
}

// Those that come from before FCM itself, without that detail.
export const FCM_PLAIN = {
  badRequest: { status: 400, body: JSON.stringify(invalid('message.android.ttl', 'Invalid value')) },
  unauthenticated: { status: 401, body: JSON.stringify(unauthenticated()) },
  disabled: {
    status: 403,
    body: JSON.stringify(error(403, 'PERMISSION_DENIED', 'Firebase Cloud Messaging API has not been used in this project',
      [{ '@type': `${TYPE}google.rpc.ErrorInfo`, reason: 'SERVICE_DISABLED', domain: 'googleapis.com' }])),
  },
  notFound: { status: 404, body: '<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>' },
};

function invalid(field, description) {
  return error(400, 'INVALID_ARGUMENT', `Invalid value at '${field}': ${description}`, [
    { '@type': `${TYPE}google.rpc.BadRequest`, fieldViolations: [{ field, description }] }]);
}

function unauthenticated() {
  return error(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials. Expected OAuth 2 access token.',
    [{ '@type': `${TYPE}google.rpc.ErrorInfo`, reason: 'ACCESS_TOKEN_EXPIRED', domain: 'googleapis.com' }]);
}

export class FcmFake extends FakeServer {
  projects = new Set();

  constructor(tls, oauth) {
    super('fcm', tls);
    this.oauth = oauth;
  }

  judge(r) {
    const refuse = (answer, ...wrong) => ({ ...answer, ...(wrong.length && { wrong }) });
    const [, project] = /^\/v1\/projects\/([a-z0-9-]+)\/messages:send$/.exec(r.path) ?? [];
    if (!project) return refuse(FCM_PLAIN.notFound, `path ${r.path}`);
    r.project = project;
    if (r.method !== 'POST') return refuse({ status: 405, body: '' }, `method ${r.method}`);
    const bearer = /^Bearer (\S+)$/.exec(r.headers.authorization ?? '')?.[1];
    const held = bearer ? this.oauth.check(bearer) : { error: 'none', wrong: 'no bearer token' };
    if (held.error) return { ...refuse(json(401, unauthenticated()), ...(held.wrong ? [held.wrong] : [])), unauthorized: true };
    if (!this.projects.has(project)) return refuse(FCM_PLAIN.notFound, `project ${project}`);
    if (held.project !== project) return refuse(FCM_PLAIN.disabled, `a token of ${held.project} for ${project}`);
    return this.#message(r, refuse);
  }

  #message(r, refuse) {
    try {
      r.body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(r.raw));
    } catch (err) {
      return refuse(json(400, invalid('', 'not JSON')), `no JSON: ${err.message}`);
    }
    r.token = r.body?.message?.token;
    r.message = r.body?.message;
    r.collapse = r.message?.android?.collapse_key;
    const wrong = checkFcmMessage(r.body);
    if (!/^application\/json(;|$)/.test(r.headers['content-type'] ?? '')) wrong.push({ field: 'content-type', text: String(r.headers['content-type']) });
    if (wrong.length) return refuse(json(400, invalid(wrong[0].field, wrong[0].text)), ...wrong.map((w) => `${w.field}: ${w.text}`));
    return json(200, { name: `projects/${r.project}/messages/0:${randomBytes(8).toString('hex')}` });
  }

  failure(b) {
    return { ...json(b.status, error(b.status, 'UNKNOWN', 'as told')), reason: b.reason };
  }
}
