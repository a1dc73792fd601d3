// Short durations, for all rows; and what follows from them.

// Gauges that are 1 when a worker reaches what it needs.
export const UP = ['redis_up', 'redis_sub_up', 'postgres_up', 'listen_up', 'store_up'];
// Gauges that are 0 when nothing is left to do.
export const DOWN = ['catching_up', 'confirms_waiting', 'unrouted', 'outbox_bytes'];

export const MS = {
  deliveryTimeout: 1000, lease: 3000, grace: 500, requeue: 3000,
  pingInterval: 1500, pingTimeout: 3000, storeTimeout: 3000, stall: 10000,
};

const ms = (n) => `${n}ms`;

export function settings({ servers, secret }) {
  return {
    server: { stop_timeout: '1m', stuck_timeout: '1m' },
    auth: { jwt_secret: secret },
    log: { status_interval: '0s' },
    engine: { ping_interval: ms(MS.pingInterval), ping_timeout: ms(MS.pingTimeout), connect_timeout: '30s' },
    chat: { delivery_timeout: ms(MS.deliveryTimeout), offline_grace: ms(MS.grace) },
    limits: { message_rate: 0, connect_rate: 0 },
    directory: { database_url: servers.postgres.url, database_timeout: '2s' },
    store: { ...(servers.mongo ? { store_url: servers.mongo.url } : {}), store_timeout: ms(MS.storeTimeout) },
    redis: { redis_host: '127.0.0.1', redis_port: servers.redis.port, redis_timeout: '1s', lease: ms(MS.lease) },
    push: { push_requeue: ms(MS.requeue) },
  };
}

// A host's death is seen when its lease ends, its users leave a grace later; who
// tells the others needs a moment for it. Without what the machine stood still.
export const PRESENCE_MS = {
  death: MS.lease + MS.grace + 1000,
  // after a backend was away, from when it is back: workers reconnect within 6 s,
  // and give the others as long before they tell who left
  back: 6000 + MS.grace + 6000 + 1000,
  frozen: MS.pingInterval + MS.pingTimeout + MS.grace + 1000,
};
