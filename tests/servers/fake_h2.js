// An HTTP/2 server that misbehaves on request, for tests of the HTTP/2 client.
// Node's own modules and the openssl program only; certificates are made at the
// start, in a directory that goes with the process.
//
//   node fake_h2.js      prints "ca FILE", "port KIND N" for each kind, then
//                        "ready". All kinds answer for "localhost":
//     h2                 the server, by way of a relay that can stall
//     wrong-name         its certificate is another host's
//     expired            its certificate has ended
//     no-alpn            TLS, but no HTTP/2
//     old-tls            TLS 1.1
//     no-settings        TLS with ALPN h2, and then silence
//     silent             accepts, and says nothing
// What a request asks for is its path:
//     /ok  /status/N  /delay/MS  /echo (the body)  /bytes/N (a body so long)
//     /held              answered (200) when "release" is said
//     /refused           REFUSED_STREAM the first time (by header x-id), then 200
//     /reset             RST_STREAM INTERNAL_ERROR
//     /broken            an answer that HTTP/2 forbids (content-length is wrong)
//     /early             answered before the request's body is there
// Lines on stdin, each obeyed before "done" is printed:
//     limit FIRST LATER  streams of new connections until an answer of 200, and
//                        from then on (their SETTINGS change)
//     lower N            streams of the connections that there are (or raise;
//                        "count lowered": those that have confirmed it)
//     goaway N           on each connection: its first N streams are carried out,
//                        the later ones not; with debug data, as APNs has it
//     calm               GOAWAY ENHANCE_YOUR_CALM to any request from now on
//     shutdown           GOAWAY as one that drains: no stream is refused
//     leave HOW          new connections end again and again: "greeting" GOAWAY at
//                        once; "closing" closed at once, without; "refusing" each
//                        request gets REFUSED_STREAM and then GOAWAY; "failing" 503
//                        and then GOAWAY; "no" no more, "working" 200 and then GOAWAY
//     drop / stall / flow   of the relay's connections: cut; carry nothing; again
//     release            answers what is held
//     count WHAT         prints "count WHAT N": requests, answered, ids (distinct
//                        x-id answered), twice (those answered again), most
//                        (streams at a time), accepted (of TCP), connections
//                        (of HTTP/2, ever), open (now), refused, pings, cancelled,
//                        lowered
'use strict';
const fs = require('fs');
const http2 = require('http2');
const net = require('net');
const os = require('os');
const path = require('path');
const readline = require('readline');
const tls = require('tls');
const { execFileSync } = require('child_process');

// ---- Certificates --------------------------------------------------------
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'fake-h2.'));
process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }));
const file = (name) => path.join(dir, name);
const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'ignore', 'ignore'] });
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

openssl('req', '-x509', ...EC, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=fake CA', '-days', '2');

function certificate(name, host, days) {
	fs.writeFileSync(file(`${name}.ext`), `subjectAltName=DNS:${host}${host === 'localhost' ? ',IP:127.0.0.1' : ''}`);
	openssl('req', ...EC, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${host}`);
	openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial',
		'-extfile', `${name}.ext`, '-days', String(days), '-out', `${name}.pem`);
	return { key: fs.readFileSync(file(`${name}.key`)), cert: fs.readFileSync(file(`${name}.pem`)) };
}

// ---- HTTP/2 --------------------------------------------------------------
const counts = { requests: 0, answered: 0, most: 0, accepted: 0, connections: 0, refused: 0, pings: 0, cancelled: 0, lowered: 0 };
const ids = new Map();		// x-id -> times answered
const refusedOnce = new Set();
const sessions = new Set();
let held = [];
let calm = false;
let leave = 'no';
let limit = { first: 100, later: 100 };

function answered(stream, headers) {
	const id = headers['x-id'];
	counts.answered++;
	if (id !== undefined) ids.set(id, (ids.get(id) || 0) + 1);
	stream.session.allowMore();
}

function respond(stream, headers, status, more, body) {
	if (stream.destroyed || stream.beyond) return;
	stream.respond({ ':status': status, ...more });
	stream.end(body);
	if (status === 200) answered(stream, headers);
}

const behaviours = {
	ok: (s, h) => respond(s, h, 200, { 'apns-id': h['x-id'] || '' }, ''),
	status: (s, h, n) => respond(s, h, Number(n), n === '429' ? { 'retry-after': '7' } : {}, `{"status":${n}}`),
	delay: (s, h, ms) => setTimeout(() => respond(s, h, 200, {}, ''), Number(ms)),
	echo: (s, h, arg, body) => respond(s, h, 200, {}, body),
	bytes: (s, h, n) => respond(s, h, 200, {}, 'x'.repeat(Number(n))),
	held: (s, h) => held.push(() => respond(s, h, 200, {}, '')),
	reset: (s) => s.close(http2.constants.NGHTTP2_INTERNAL_ERROR),
	broken: (s, h) => respond(s, h, 200, { 'content-length': '5' }, 'too long by far'),
	refused: (s, h) => {
		if (refusedOnce.has(h['x-id'])) return respond(s, h, 200, {}, '');
		refusedOnce.add(h['x-id']);
		counts.refused++;
		s.close(http2.constants.NGHTTP2_REFUSED_STREAM);
	},
};

const shutDown = (session) => session.goaway(0, 2 ** 31 - 1, Buffer.from('{"reason":"Shutdown"}'));

function leaveAfter(stream, headers) {
	const session = stream.session;
	stream.on('close', () => { if (!session.destroyed) shutDown(session); });
	if (leave === 'refusing') stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
	else respond(stream, headers, leave === 'failing' ? 503 : 200, {}, '');
}

function leaveAtOnce(session) {
	if (leave === 'greeting') shutDown(session);
	if (leave === 'closing') session.once('localSettings', () => session.destroy());
}

function onStream(stream, headers) {
	const [, what, arg] = headers[':path'].split('/');
	const chunks = [];
	const session = stream.session;
	if (calm) {
		stream.on('error', () => {});
		session.goaway(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM, 0);
		return;
	}
	if (leave !== 'no') {
		stream.on('error', () => {});
		leaveAfter(stream, headers);
		return;
	}
	counts.requests++;
	session.streams = (session.streams || 0) + 1;
	counts.most = Math.max(counts.most, session.streams);
	stream.on('error', () => {});
	stream.on('aborted', () => counts.cancelled++);
	stream.on('close', () => session.streams--);
	session.all.push(stream);
	if (what === 'early') { respond(stream, headers, 200, {}, 'enough'); return; }
	stream.on('data', (d) => chunks.push(d));
	stream.on('end', () => {
		if (!stream.destroyed) behaviours[what](stream, headers, arg, Buffer.concat(chunks));
	});
}

function onSession(session) {
	sessions.add(session);
	session.all = [];
	counts.connections++;
	session.allowMore = () => {
		if (limit.later !== limit.first && !session.allowed)
			session.settings({ maxConcurrentStreams: limit.later });
		session.allowed = true;
	};
	session.on('error', () => {});
	session.on('ping', () => counts.pings++);
	session.on('close', () => sessions.delete(session));
	leaveAtOnce(session);
}

function h2Server(cert) {
	const server = http2.createSecureServer({ ...cert, settings: { maxConcurrentStreams: limit.first },
		maxSessionMemory: 100 });
	server.on('stream', onStream);
	server.on('session', onSession);
	server.on('sessionError', () => {});
	server.on('tlsClientError', () => {});
	return server;
}

function goaway(n) {
	for (const s of sessions) {
		const streams = s.all.filter((x) => !x.destroyed);
		const last = streams.length > n ? streams[n - 1] : streams[streams.length - 1];
		for (const x of streams) x.beyond = x.id > last.id;
		s.goaway(0, last.id, Buffer.from('{"reason":"Shutdown"}'));
	}
}

// ---- The relay before it --------------------------------------------------
const pairs = new Set();
let stalled = false;

function relay(to) {
	return net.createServer({ noDelay: true }, (a) => {
		const b = net.connect({ port: to, host: '127.0.0.1', noDelay: true });
		const pair = [a, b];
		counts.accepted++;
		pairs.add(pair);
		for (const [x, y] of [[a, b], [b, a]]) {
			x.pipe(y);
			x.on('error', () => {});
			x.on('close', () => { y.destroy(); pairs.delete(pair); });
			if (stalled) x.unpipe(), x.pause();
		}
	});
}

function stall(on) {
	stalled = on;
	for (const [a, b] of pairs) {
		for (const [x, y] of [[a, b], [b, a]]) {
			if (on) x.unpipe(y), x.pause();
			else x.pipe(y);
		}
	}
}

// ---- What is said on stdin ---------------------------------------------------
const commands = {
	limit: (first, later) => {
		limit = { first: Number(first), later: Number(later) };
		main.updateSettings({ maxConcurrentStreams: limit.first });
	},
	lower: (n) => { for (const s of sessions) s.settings({ maxConcurrentStreams: Number(n) }, () => counts.lowered++); },
	goaway: (n) => goaway(Number(n)),
	calm: () => { calm = true; },
	shutdown: () => { for (const s of sessions) s.goaway(0, 2 ** 31 - 1); },
	leave: (how) => { leave = how; },
	drop: () => { for (const [a, b] of pairs) { a.resetAndDestroy(); b.destroy(); } },
	stall: () => stall(true),
	flow: () => stall(false),
	release: () => { const all = held; held = []; for (const f of all) f(); },
	count: (what) => {
		const twice = () => [...ids.values()].filter((n) => n > 1).length;
		const n = { ids: ids.size, twice: twice(), open: pairs.size }[what] ?? counts[what];
		console.log(`count ${what} ${n}`);
	},
};

async function listen(kind, server) {
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	if (kind) console.log(`port ${kind} ${server.address().port}`);
	return server.address().port;
}

const good = certificate('good', 'localhost', 2);
const main = h2Server(good);

(async () => {
	const quiet = (s) => s.on('error', () => {});
	console.log(`ca ${file('ca.pem')}`);
	await listen('h2', relay(await listen(null, main)));
	await listen('wrong-name', h2Server(certificate('wrong', 'other.example', 2)));
	await listen('expired', h2Server(certificate('expired', 'localhost', -1)));
	await listen('no-alpn', tls.createServer(good, quiet).on('tlsClientError', () => {}));
	await listen('old-tls', tls.createServer({ ...good, ALPNProtocols: ['h2'], minVersion: 'TLSv1', maxVersion: 'TLSv1.1',
		ciphers: 'DEFAULT@SECLEVEL=0' }, quiet).on('tlsClientError', () => {}));
	await listen('no-settings', tls.createServer({ ...good, ALPNProtocols: ['h2'] }, quiet).on('tlsClientError', () => {}));
	await listen('silent', net.createServer(quiet));
	console.log('ready');
})();

readline.createInterface({ input: process.stdin })
	.on('line', (line) => {
		const [name, ...args] = line.split(' ');
		commands[name](...args);
		console.log('done');
	})
	.on('close', () => process.exit(0));
