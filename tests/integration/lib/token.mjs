import { createHmac, sign as signBy } from 'node:crypto';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

// A signed JWT. key: a secret, or for RS256 and ES256 a private key. options: alg
// (as the header says).
export function sign(claims, key, { alg = 'HS256' } = {}) {
  const body = `${part({ alg, typ: 'JWT' })}.${part(claims)}`;
  if (alg === 'none') return `${body}.`;
  if (alg === 'RS256') return `${body}.${signBy('sha256', Buffer.from(body), key).toString('base64url')}`;
  if (alg === 'ES256') return `${body}.${signBy('sha256', Buffer.from(body), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  const hash = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' }[alg];
  return `${body}.${createHmac(hash, key).update(body).digest('base64url')}`;
}

export const now = () => Math.floor(Date.now() / 1000);
