import { createHmac } from 'node:crypto';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

// A signed JWT. options: alg (as the header says), secret.
export function sign(claims, secret, { alg = 'HS256' } = {}) {
  const body = `${part({ alg, typ: 'JWT' })}.${part(claims)}`;
  if (alg === 'none') return `${body}.`;
  const hash = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' }[alg];
  return `${body}.${createHmac(hash, secret).update(body).digest('base64url')}`;
}

export const now = () => Math.floor(Date.now() / 1000);
