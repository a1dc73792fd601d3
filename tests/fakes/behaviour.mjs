// What a fake does with the requests that it has nothing against: plain objects,
// so that they can be written down, sent to the program, and shown.
//
//   {}                          takes it
//   { status, ... }             this answer; the rest is the provider's (fcm.mjs,
//                               apns.mjs, oauth.mjs), and headers, body
//   { retryAfter: 3 | Date }    with that header, in seconds or as a date
//   { delay: 200 }              ms before what follows
//   { stall: true }             never answers
//   { reset: 'REFUSED_STREAM' } RST_STREAM with this code
//   { drop: true }              the connection ends without a word
//   { goaway: { share, code, reason } }  GOAWAY that leaves this share of what is
//                               open to be done (1: all; 0: nothing), then as
//                               the rest says
//   shown: true                 with stall, reset, drop: the notification was
//                               shown nonetheless
import { EventEmitter } from 'node:events';
import { constants } from 'node:http2';

export class Script extends EventEmitter {
  requests = [];	// in order of arrival, with what became of them
  violations = [];	// sentences: what a real provider would hold against us
  #turns = new Map();
  #always = new Map();

  // In turn, for requests of this token ('*': of any); then as ever.
  script(token, ...behaviours) {
    this.#turns.set(token, [...(this.#turns.get(token) ?? []), ...behaviours]);
    return this;
  }

  // From now on; undefined ends it.
  always(token, behaviour) {
    if (behaviour) this.#always.set(token, behaviour);
    else this.#always.delete(token);
    return this;
  }

  // No behaviours, no records.
  forget() {
    this.#turns.clear();
    this.#always.clear();
    this.requests = [];
    this.violations = [];
  }

  // Events of these names tell of each.
  noted(request) {
    this.requests.push(request);
    this.emit('request', request);
  }

  violation(text) {
    this.violations.push(`${this.name}: ${text}`);
    this.emit('violation', `${this.name}: ${text}`);
  }

  next(token) {
    return this.#turns.get(token)?.shift() ?? this.#turns.get('*')?.shift() ??
      this.#always.get(token) ?? this.#always.get('*') ?? {};
  }
}

export function retryAfter(value) {
  if (value === undefined) return {};
  return { 'retry-after': value instanceof Date ? value.toUTCString() : String(value) };
}

export const errorCode = (name) => constants[`NGHTTP2_${name}`];
