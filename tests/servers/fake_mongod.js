// A MongoDB of the few commands that the message store sends, to do what a real
// server does not do on demand: a replica set of one, in memory, told over its
// standard input how to misbehave. Node's own modules only.
//
//   node fake_mongod.js      prints "port N", then obeys lines on stdin:
//     next COMMAND FAULT [ARG [MS]]  the next COMMAND (insert, update, find …),
//                                    whose answer comes MS late; "held": with
//                                    the next "release"
//       writeConcernError CODE     is carried out, its write concern fails
//       error CODE                 is refused with this code
//       dropBefore                 the connection ends, nothing is carried out
//       dropAfter                  it is carried out, the connection ends
//       silent                     it is carried out, no answer comes
//       delay MS                   it is carried out, the answer comes late
//       hide N                     finds nothing, N times over (a row that the
//                                  majority has not got yet)
//       writeError CODE            the first row is refused with this code
//       duplicateElsewhere         the first row meets another unique index
//     count COMMAND              prints "count COMMAND N"; sent: rows, by finds
//     release                    gives the answers that are held
//     down / up                  refuses and drops connections, or not
// Faults queue up: each is used once, in order.
'use strict';
const net = require('net');
const readline = require('readline');

// ---- BSON, as much as is needed ------------------------------------------
class ObjectId { constructor(hex) { this.hex = hex; } }
class Long { constructor(big) { this.big = big; } }

function readDoc(b, at, isArray) {
	const end = at + b.readInt32LE(at);
	const doc = isArray ? [] : {};
	let p = at + 4;
	while (p < end - 1) {
		const type = b[p++];
		const z = b.indexOf(0, p);
		const key = b.toString('utf8', p, z);
		let v;
		p = z + 1;
		switch (type) {
		case 0x01: v = b.readDoubleLE(p); p += 8; break;
		case 0x02: { const n = b.readInt32LE(p);
			v = b.toString('utf8', p + 4, p + 3 + n); p += 4 + n; break; }
		case 0x03: case 0x04: v = readDoc(b, p, type === 4); p += b.readInt32LE(p); break;
		case 0x05: { const n = b.readInt32LE(p);
			v = b.subarray(p + 5, p + 5 + n); p += 5 + n; break; }
		case 0x07: v = new ObjectId(b.toString('hex', p, p + 12)); p += 12; break;
		case 0x08: v = b[p++] === 1; break;
		case 0x09: v = new Date(Number(b.readBigInt64LE(p))); p += 8; break;
		case 0x0a: v = null; break;
		case 0x10: v = b.readInt32LE(p); p += 4; break;
		case 0x11: case 0x12: v = new Long(b.readBigInt64LE(p)); p += 8; break;
		default: throw new Error(`BSON type ${type}`);
		}
		doc[key] = v;
	}
	return doc;
}

function cstring(s) { return Buffer.from(s + '\0'); }

function writeValue(key, v) {
	const head = (t) => Buffer.concat([Buffer.from([t]), cstring(key)]);
	const int = (n, size, big) => { const b = Buffer.alloc(size);
		if (big) b.writeBigInt64LE(n); else b.writeInt32LE(n); return b; };
	if (v === null) return head(0x0a);
	if (typeof v === 'string') {
		const s = cstring(v);
		return Buffer.concat([head(0x02), int(s.length, 4), s]);
	}
	if (typeof v === 'boolean') return Buffer.concat([head(0x08), Buffer.from([v ? 1 : 0])]);
	if (typeof v === 'number') {
		if (Number.isInteger(v) && Math.abs(v) < 2 ** 31)
			return Buffer.concat([head(0x10), int(v, 4)]);
		const d = Buffer.alloc(8);
		d.writeDoubleLE(v);
		return Buffer.concat([head(0x01), d]);
	}
	if (v instanceof Long) return Buffer.concat([head(0x12), int(v.big, 8, true)]);
	if (v instanceof Date) return Buffer.concat([head(0x09), int(BigInt(v.getTime()), 8, true)]);
	if (v instanceof ObjectId) return Buffer.concat([head(0x07), Buffer.from(v.hex, 'hex')]);
	if (Buffer.isBuffer(v)) return Buffer.concat([head(0x05), int(v.length, 4), Buffer.from([0]), v]);
	return Buffer.concat([head(Array.isArray(v) ? 0x04 : 0x03), writeDoc(v)]);
}

function writeDoc(doc) {
	const body = Buffer.concat([...Object.entries(doc).map(([k, v]) => writeValue(k, v)),
		Buffer.from([0])]);
	const size = Buffer.alloc(4);
	size.writeInt32LE(body.length + 4);
	return Buffer.concat([size, body]);
}

// ---- The collection ------------------------------------------------------
const rows = new Map();		// _id in hex -> document
const indexes = new Set(['["_id"]']);	// their keys; a hint must name one
const faults = [];		// { command, kind, arg, ms }
const counts = {};
let down = false;
let held = [];

function plain(v) {
	if (v instanceof ObjectId) return v.hex;
	if (v instanceof Long) return Number(v.big);
	if (v instanceof Date) return v.getTime();
	return v === undefined ? null : v;
}

// As MongoDB compares: a bound finds values of its own type only.
const bound = (holds) => (is, want) => {
	const limit = plain(want);
	return typeof is === typeof limit && holds(is, limit);
};
const operators = {
	$in: (is, want) => want.some((w) => plain(w) === is),
	$ne: (is, want) => plain(want) !== is,
	$gt: bound((a, b) => a > b), $gte: bound((a, b) => a >= b),
	$lt: bound((a, b) => a < b), $lte: bound((a, b) => a <= b),
};

function matches(row, filter) {
	return Object.entries(filter).every(([key, want]) => {
		if (key === '$nor') return !want.some((f) => matches(row, f));
		const is = plain(row[key]);
		if (want !== null && want.constructor === Object)
			return Object.entries(want).every(([op, v]) => operators[op](is, v));
		return plain(want) === is;
	});
}

function sorted(found, sort) {
	const keys = Object.entries(sort);
	return found.sort((a, b) => {
		for (const [key, dir] of keys) {
			const x = plain(a[key]), y = plain(b[key]);
			if (x !== y) return (x < y ? -1 : 1) * dir;
		}
		return 0;
	});
}

function insert(cmd, fault) {
	const writeErrors = [];
	let n = 0;
	cmd.documents.forEach((doc, index) => {
		if (index === 0 && fault && fault.kind === 'writeError')
			writeErrors.push({ index, code: Number(fault.arg), errmsg: 'injected' });
		else if (index === 0 && fault && fault.kind === 'duplicateElsewhere')
			writeErrors.push({ index, code: 11000, keyPattern: { tempId: 1 }, errmsg: 'E11000' });
		else if (rows.has(doc._id.hex))
			writeErrors.push({ index, code: 11000, keyPattern: { _id: 1 }, errmsg: 'E11000' });
		else { rows.set(doc._id.hex, doc); n++; }
	});
	return writeErrors.length ? { n, writeErrors, ok: 1 } : { n, ok: 1 };
}

function update(cmd) {
	let n = 0;
	for (const u of cmd.updates)
		for (const row of rows.values())
			if (matches(row, u.q)) { Object.assign(row, u.u.$set); n++; if (!u.multi) break; }
	return { n, nModified: n, ok: 1 };
}

function createIndexes(cmd) {
	for (const { key } of cmd.indexes) indexes.add(JSON.stringify(Object.keys(key)));
	return { ok: 1 };
}

function hinted(cmd) {
	return !cmd.hint || indexes.has(JSON.stringify(Object.keys(cmd.hint)));
}

function cursor(cmd, firstBatch) {
	const ns = `${cmd.$db}.${cmd.find || cmd.aggregate}`;
	return { cursor: { firstBatch, id: new Long(0n), ns }, ok: 1 };
}

function find(cmd, fault) {
	let found = [...rows.values()].filter((r) => matches(r, cmd.filter));
	if (cmd.sort) found = sorted(found, cmd.sort);
	if (cmd.limit !== undefined) found = found.slice(0, plain(cmd.limit));
	if (fault && fault.kind === 'hide') found = [];
	counts.sent = (counts.sent || 0) + found.length;
	return cursor(cmd, found);
}

const stages = {
	$match: (found, filter) => found.filter((r) => matches(r, filter)),
	$sort: sorted,
	$limit: (found, n) => found.slice(0, plain(n)),
	$project: (found) => found,
	$group: (found) => (found.length ? [{ _id: 1, n: found.length }] : []),	// a count
};

function aggregate(cmd) {
	let found = [...rows.values()];
	for (const stage of cmd.pipeline) {
		const [name, arg] = Object.entries(stage)[0];
		found = stages[name](found, arg);
	}
	return cursor(cmd, found);
}

function hello(port) {
	const me = `127.0.0.1:${port}`;
	return { ismaster: true, isWritablePrimary: true, helloOk: true, setName: 'fake',
		setVersion: 1, hosts: [me], me, primary: me, secondary: false,
		maxWireVersion: 17, minWireVersion: 0, maxBsonObjectSize: 16777216,
		maxMessageSizeBytes: 48000000, maxWriteBatchSize: 100000,
		localTime: new Date(), logicalSessionTimeoutMinutes: 30, readOnly: false, ok: 1 };
}

function carryOut(name, cmd, fault) {
	if (!hinted(cmd))
		return { ok: 0, code: 2, codeName: 'BadValue', errmsg: 'hint names no index' };
	switch (name) {
	case 'insert': return insert(cmd, fault);
	case 'update': return update(cmd);
	case 'find': return find(cmd, fault);
	case 'aggregate': return aggregate(cmd);
	case 'createIndexes': return createIndexes(cmd);
	case 'ping': case 'endSessions': return { ok: 1 };
	default: return { ok: 0, code: 59, codeName: 'CommandNotFound', errmsg: name };
	}
}

function takeFault(name) {
	const i = faults.findIndex((f) => f.command === name);
	if (i === -1) return null;
	const f = faults[i];
	if (f.kind === 'hide' && --f.arg > 0) return f;
	faults.splice(i, 1);
	return f;
}

// A replica set's member says itself which writes are worth another try.
function refusal(code, name) {
	const reply = { ok: 0, code, codeName: 'Injected', errmsg: 'injected' };
	if ([91, 189, 10107, 11600, 11602, 13435, 13436].includes(code) && name !== 'find')
		reply.errorLabels = ['RetryableWriteError'];
	return reply;
}

// What to answer, and how: { reply, delay } or null to drop the connection.
function execute(name, cmd) {
	counts[name] = (counts[name] || 0) + 1;
	const fault = takeFault(name);
	if (fault && fault.kind === 'dropBefore') return null;
	if (fault && fault.kind === 'error')
		return { reply: refusal(Number(fault.arg), name) };
	const reply = carryOut(name, cmd, fault);
	if (fault && fault.kind === 'dropAfter') return null;
	if (fault && fault.kind === 'silent') return { reply: null };
	if (fault && fault.kind === 'writeConcernError')
		reply.writeConcernError = { code: Number(fault.arg), codeName: 'Injected', errmsg: 'injected' };
	return { reply, delay: fault && fault.kind === 'delay' ? fault.arg : fault && fault.ms };
}

// ---- The wire ------------------------------------------------------------
function message(opcode, responseTo, body) {
	const head = Buffer.alloc(16);
	head.writeInt32LE(16 + body.length, 0);
	head.writeInt32LE(responseTo, 8);
	head.writeInt32LE(opcode, 12);
	return Buffer.concat([head, body]);
}

function opReply(responseTo, doc) {
	const head = Buffer.alloc(20);
	head.writeInt32LE(1, 16);
	return message(1, responseTo, Buffer.concat([head, writeDoc(doc)]));
}

function opMsg(responseTo, doc) {
	return message(2013, responseTo, Buffer.concat([Buffer.alloc(5), writeDoc(doc)]));
}

function parseMsg(b) {
	let cmd = {}, p = 20;
	const end = b.length - (b.readUInt32LE(16) & 1 ? 4 : 0);
	const sequences = {};
	while (p < end) {
		if (b[p++] === 0) { cmd = readDoc(b, p); p += b.readInt32LE(p); continue; }
		const stop = p + b.readInt32LE(p);
		const z = b.indexOf(0, p + 4);
		const docs = sequences[b.toString('utf8', p + 4, z)] = [];
		for (p = z + 1; p < stop; p += b.readInt32LE(p)) docs.push(readDoc(b, p));
	}
	return Object.assign(cmd, sequences);
}

function onMessage(socket, port, b) {
	const id = b.readInt32LE(4), opcode = b.readInt32LE(12);
	if (opcode === 2004) { socket.write(opReply(id, hello(port))); return; }
	const cmd = parseMsg(b);
	const name = Object.keys(cmd)[0];
	if (/^(hello|ismaster)$/i.test(name)) {
		// An awaited hello would be answered on a change; there is none.
		setTimeout(() => socket.writable && socket.write(opMsg(id, hello(port))),
			cmd.maxAwaitTimeMS ? Math.min(plain(cmd.maxAwaitTimeMS), 500) : 0);
		return;
	}
	const answer = execute(name, cmd);
	if (answer === null) { socket.destroy(); return; }
	if (answer.reply === null) return;
	const send = () => socket.writable && socket.write(opMsg(id, answer.reply));
	if (answer.delay === 'held') held.push(send);
	else if (Number(answer.delay)) setTimeout(send, Number(answer.delay)); else send();
}

const sockets = new Set();

function goDown() {
	down = true;
	for (const s of sockets) s.destroy();
}

const server = net.createServer((socket) => {
	let pending = Buffer.alloc(0);
	if (down) { socket.destroy(); return; }
	sockets.add(socket);
	socket.setNoDelay(true);
	socket.on('error', () => {});
	socket.on('close', () => sockets.delete(socket));
	socket.on('data', (chunk) => {
		pending = Buffer.concat([pending, chunk]);
		while (pending.length >= 4 && pending.length >= pending.readInt32LE(0)) {
			const n = pending.readInt32LE(0);
			const one = pending.subarray(0, n);
			pending = pending.subarray(n);
			try {
				onMessage(socket, server.address().port, one);
			} catch (e) {
				process.stderr.write(`fake_mongod: ${e.stack}\n`);
				process.exit(1);
			}
		}
	});
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));

readline.createInterface({ input: process.stdin }).on('line', (line) => {
	const [word, ...rest] = line.trim().split(/\s+/);
	if (word === 'next') faults.push({ command: rest[0], kind: rest[1], arg: rest[2], ms: rest[3] || 0 });
	else if (word === 'count') console.log(`count ${rest[0]} ${counts[rest[0]] || 0}`);
	else if (word === 'down') goDown();
	else if (word === 'up') down = false;
	else if (word === 'release') { for (const send of held) send(); held = []; }
	console.log(`done ${word}`);
}).on('close', () => process.exit(0));
