// JSON Web Tokens (RFC 7519) as the providers check them.
import { verify } from 'node:crypto';

const KEY_OPTIONS = { RS256: {}, ES256: { dsaEncoding: 'ieee-p1363' } };

// -> { header, claims, input, signature }, or null when it is none.
export function parseJwt(text) {
  const parts = String(text).split('.');
  if (parts.length !== 3 || !parts.every((p) => /^[A-Za-z0-9_-]+$/.test(p))) return null;
  try {
    const [header, claims] = parts.slice(0, 2).map((p) => JSON.parse(Buffer.from(p, 'base64url').toString('utf8')));
    return { header, claims, input: parts.slice(0, 2).join('.'), signature: Buffer.from(parts[2], 'base64url') };
  } catch {
    return null;
  }
}

// The algorithm is ours to say, never the token's.
export function signedBy(jwt, alg, publicKey) {
  return jwt.header.alg === alg &&
    verify('sha256', Buffer.from(jwt.input), { key: publicKey, ...KEY_OPTIONS[alg] }, jwt.signature);
}
