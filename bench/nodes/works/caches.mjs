import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { get } from '../../harness/http.mjs';
import { Load, pin } from '../../harness/native.mjs';
import { spread } from '../../harness/report.mjs';
import { DATA, startSide } from '../../harness/sides.mjs';
import { quartiles } from '../../processes.mjs';
import { answering, freePort } from '../redis.mjs';

export const title = 'Long-polling through a cache that asks once for all: 200 readers, nginx';

const READERS = 200;
/** Until all have asked again; nginx looks every half second whether the one that it let through has its answer. */
const GAP_MS = 300;
const IDLE_MS = 1500;
const CHANNEL = 'bench/00000';
const NGINX = process.env['EARSHOT_BENCH_NGINX'] ?? '/usr/sbin/nginx';

export async function run(bench) {
  if (spawnSync(NGINX, ['-v']).status !== 0)
    return { heads: [''], rows: [['there is no nginx here (EARSHOT_BENCH_NGINX)']], checks: [] };
  const rounds = bench.quick ? 1 : 6;
  const side = await startSide(bench, 'earshot', {
    mode: 'fan',
    flags: ['--long-poll-timeout-ms', String(IDLE_MS)],
  });
  const nginx = await startNginx(side.port);
  try {
    await fetch(streamOf(side), { method: 'PUT', headers: { 'content-type': 'application/json' } });
    const rows = [];
    const seen = {};
    for (const [what, port, isIdle] of [
      ['straight', side.port],
      ['through nginx', nginx.port],
      ['straight, nothing is published', side.port, true],
      ['through nginx, nothing is published', nginx.port, true],
    ]) {
      seen[what] = await turnsOf(bench, side, { port, rounds, isIdle });
      const { requests, cpuUs, wallMs } = seen[what];
      rows.push([what, ...[requests, cpuUs, wallMs].map(spread)]);
    }
    return {
      heads: [
        '',
        'requests to the server, a turn of all',
        'CPU of the server for each answer, µs',
        'until all have it, ms',
      ],
      rows,
      seen,
      notes: [
        `All wait for ${GAP_MS} ms before the message comes; where none comes, a long-poll ends after ${IDLE_MS} ms.`,
      ],
      checks: [],
    };
  } finally {
    await Promise.all([side.stop(), nginx.stop()]);
  }
}

async function turnsOf(bench, side, { port, rounds, isIdle }) {
  const load = new Load(bench.programs.load, side.server, [side.server.pid]);
  await load.open('p', { kind: 'w', count: 1, port: side.port, steps: side.talk.publisher });
  await load.open('r', { kind: 'h', count: READERS, port, steps: [] });
  const seen = [];
  for (let round = 0; round <= rounds; round++) {
    const { headers } = await fetch(streamOf(side), { method: 'HEAD' });
    const request = get(`/v1/stream/${CHANNEL}?offset=${headers.get('stream-next-offset')}&live=long-poll`);
    const before = await pollsOf(side);
    const turn = isIdle
      ? await load.tell('echo', 0, READERS, request)
      : await load.tell('turn', 0, GAP_MS, request, side.talk.publish(DATA));
    const requests = (await pollsOf(side)) - before;
    const ms = turn.wallNs / 1e6 - (isIdle ? 0 : GAP_MS);
    if (round > 0) seen.push({ requests, cpuUs: turn.cpuNs / 1000 / READERS, wallMs: ms }); // the first one is to get warm
  }
  load.stop();
  const of = (value) => quartiles(seen.map(value));
  return {
    requests: of(({ requests }) => requests),
    cpuUs: of(({ cpuUs }) => cpuUs),
    wallMs: of(({ wallMs }) => wallMs),
  };
}

const streamOf = ({ port }) => `http://127.0.0.1:${port}/v1/stream/${CHANNEL}`;

async function pollsOf({ port }) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^earshot_sessions_total\{transport="long-poll"\} (\d+)/m.exec(text)?.[1] ?? 0);
}

async function startNginx(origin) {
  const [port, folder] = [await freePort(), mkdtempSync(join(tmpdir(), 'earshot-bench-nginx-'))];
  const path = join(folder, 'nginx.conf');
  writeFileSync(path, configurationOf({ port, origin, folder }));
  const child = spawn(NGINX, ['-c', path, '-e', join(folder, 'error.log')], { stdio: 'inherit' });
  process.once('exit', () => child.kill());
  await answering(port, NGINX);
  pin(child.pid, 0);
  return {
    port,
    async stop() {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configurationOf({ port, origin, folder }) {
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${join(folder, name)};`)
    .join(' ');
  return `${user} daemon off; worker_processes 1; pid ${join(folder, 'nginx.pid')};
events { worker_connections 4096; }
http {
  access_log off; ${temporary}
  proxy_cache_path ${join(folder, 'cache')} keys_zone=polls:10m;
  upstream earshot { server 127.0.0.1:${origin}; keepalive 16; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://earshot; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache polls; proxy_cache_lock on; proxy_cache_lock_timeout 2s; proxy_cache_lock_age 2s;
    }
  }
}
`;
}
