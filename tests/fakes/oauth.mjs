// Google's token end-point: an assertion signed by a service account's key for
// an access token (RFC 7523, 2.1). HTTP/1.1 or HTTP/2. Behaviours: { status,
// error }; those of behaviour.mjs that do not need HTTP/2.
import { createSecureServer } from 'node:http2';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Script, retryAfter } from './behaviour.mjs';
import { Connections } from './connections.mjs';
import { parseJwt, signedBy } from './jwt.mjs';

const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging';
const SKEW_S = 10;

export class OauthFake extends Script {
  expiresIn = 3599;	// seconds, of what is issued
  late = 0;		// ms past its end that a token may arrive: the machine's, not the sender's
  atOnce = 0;
  mostAtOnce = 0;
  #accounts = new Map();	// client_email -> { publicKey, project, keyId }
  #tokens = new Map();	// access token -> { project, until, revoked }

  constructor({ key, cert }) {
    super();
    this.name = 'oauth';
    this.server = createSecureServer({ key, cert, allowHTTP1: true }, (req, res) => this.#request(req, res));
    this.connected = new Connections(this.server);
    this.server.on('sessionError', () => {});
    this.server.on('tlsClientError', () => {});
  }

  async listen(port = 0) {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `https://localhost:${this.server.address().port}/token`;
    return this;
  }

  async close() { await this.connected.end(); }

  forget() {
    super.forget();
    Object.assign(this, { expiresIn: 3599, late: 0, mostAtOnce: 0 });
  }

  add({ email, publicKey, project, keyId }) { this.#accounts.set(email, { publicKey, project, keyId }); }

  // Nothing that was issued is good any more: nobody's fault.
  revokeAll() {
    for (const t of this.#tokens.values()) t.revoked = true;
  }

  // Every access token ever issued: none belongs into a log.
  get issued() { return [...this.#tokens.keys()]; }

  // -> { project } or { error }, { error, wrong } when the sender should have known.
  check(bearer) {
    const t = this.#tokens.get(bearer);
    if (!t) return { error: 'unknown', wrong: 'an access token that nobody issued' };
    if (t.revoked) return { error: 'revoked' };
    if (Date.now() >= t.until + this.late) return { error: 'expired', wrong: 'an access token past its end' };
    return { project: t.project };
  }

  #request(req, res) {
    const chunks = [];
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    res.on('close', () => { this.atOnce--; });
    req.on('error', () => {});
    req.on('data', (c) => chunks.push(c));
    req.on('end', () => this.#complete(req, res, Buffer.concat(chunks).toString()));
  }

  async #complete(req, res, text) {
    const r = { at: Date.now(), http: req.httpVersion, headers: { ...req.headers } };
    const wrong = this.#wrong(req, text, r);
    for (const w of wrong) this.violation(w);
    this.noted(r);
    const b = wrong.length ? { status: 400, error: 'invalid_grant' } : this.next('*');
    if (b.delay) await new Promise((done) => { setTimeout(done, b.delay); });
    if (b.stall || res.destroyed) return;
    if (b.drop) {
      (req.stream?.session ?? req.socket).destroy();
      return;
    }
    const good = !b.status || b.status === 200;
    r.status = good ? 200 : b.status;
    const body = good ? this.#issue(r.account) : { error: b.error ?? 'internal_failure', error_description: b.description ?? 'as told' };
    res.writeHead(r.status, { 'content-type': 'application/json; charset=UTF-8', ...retryAfter(b.retryAfter) });
    res.end(b.body ?? JSON.stringify(body));
  }

  #issue({ project }) {
    const token = `ya29.${randomBytes(48).toString('base64url')}`;
    this.#tokens.set(token, { project, until: Date.now() + this.expiresIn * 1000 });
    return { access_token: token, expires_in: this.expiresIn, token_type: 'Bearer' };
  }

  #wrong(req, text, r) {
    const wrong = [];
    const must = (is, what) => { if (!is) wrong.push(what); };
    must(req.method === 'POST' && req.url === '/token', `${req.method} ${req.url}`);
    must(/^application\/x-www-form-urlencoded(;|$)/.test(req.headers['content-type'] ?? ''), `content-type ${req.headers['content-type']}`);
    must(!/[^A-Za-z0-9._~%&=+*-]/.test(text), 'a form that is not encoded');
    const form = new URLSearchParams(text);
    must([...form.keys()].sort().join() === 'assertion,grant_type', `form of ${[...form.keys()]}`);
    must(form.get('grant_type') === GRANT, `grant_type ${form.get('grant_type')}`);
    const jwt = parseJwt(form.get('assertion'));
    if (!jwt) return [...wrong, 'an assertion that is no JWT'];
    const { header, claims } = jwt;
    r.account = this.#accounts.get(claims.iss);
    r.claims = claims;
    if (!r.account) return [...wrong, `iss ${claims.iss}`];
    const now = Date.now() / 1000;
    must(signedBy(jwt, 'RS256', r.account.publicKey), 'a signature that is not the account\'s');
    must(header.kid === undefined || header.kid === r.account.keyId, `kid ${header.kid}`);
    must(header.typ === undefined || header.typ === 'JWT', `typ ${header.typ}`);
    must(claims.aud === this.url, `aud ${claims.aud}`);
    must(String(claims.scope).split(' ').includes(SCOPE), `scope ${claims.scope}`);
    must(Number.isInteger(claims.iat) && claims.iat <= now + SKEW_S && claims.iat > now - 3600, `iat ${claims.iat}`);
    must(Number.isInteger(claims.exp) && claims.exp > now && claims.exp - claims.iat <= 3600, `exp ${claims.exp}`);
    must(claims.sub === undefined, 'sub');
    return wrong;
  }
}
