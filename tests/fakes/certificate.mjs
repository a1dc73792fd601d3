// Keys and certificates of the fakes, made anew for each run: none is in the tree.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const NAMES = ['DNS:localhost', 'DNS:fcm.googleapis.com', 'DNS:oauth2.googleapis.com',
  'DNS:api.push.apple.com', 'DNS:api.sandbox.push.apple.com', 'IP:127.0.0.1'];

// One certificate, its own authority. -> { file (for push_ca_file), cert, key }
export function makeCertificate(dir) {
  const [key, file] = [join(dir, 'tls.key'), join(dir, 'ca.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
    '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', `subjectAltName=${NAMES.join(',')}`,
    '-keyout', key, '-out', file], { stdio: 'ignore' });
  return { file, cert: readFileSync(file), key: readFileSync(key) };
}

const pem = (pair) => ({
  publicKey: pair.publicKey,
  pem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
});

export const makeRsaKey = () => pem(generateKeyPairSync('rsa', { modulusLength: 2048 }));
export const makeEcKey = () => pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
