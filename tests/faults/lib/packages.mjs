// What is installed for the integration tests. (import looks beside the file
// only.)
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../integration/package.json', import.meta.url));

export const pg = require('pg');
export const { createClient } = require('redis');
export const { Manager } = require('socket.io-client');
export const { MongoClient } = require('mongodb');
