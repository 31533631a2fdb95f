import type { Fix } from './finding.js';

/** The proxy drops the upgrade. */
export const UPGRADE_FIX: Fix = {
  nginx: [
    'proxy_http_version 1.1;',
    'proxy_set_header Upgrade $http_upgrade;',
    'proxy_set_header Connection "upgrade";',
    'proxy_set_header Host $http_host;',
  ].join('\n'),
  Caddy: [
    '# reverse_proxy passes the upgrade on by itself: take out every header_up for Connection and Upgrade,',
    '# and `versions` from `transport http`',
    'reverse_proxy 127.0.0.1:8080',
  ].join('\n'),
};

/** The proxy keeps events back until it has enough of them. */
export const BUFFERING_FIX: Fix = {
  nginx: '# or take out `proxy_ignore_headers X-Accel-Buffering`\nproxy_buffering off;',
  Caddy: [
    '# passes events on at once by itself: take out `flush_interval`, with which it does not tell of clients that leave',
    'reverse_proxy 127.0.0.1:8080',
  ].join('\n'),
};

/** The proxy doesn't reach the server. */
export const GATEWAY_FIX: Fix = {
  Earshot: 'must be running, on the host and port that the proxy is told (HOST, PORT)',
  nginx: 'proxy_pass http://127.0.0.1:8080;',
  Caddy: 'reverse_proxy 127.0.0.1:8080',
};

/** The proxy has no patience with a silence of `ms`. */
export function idleFix(ms: number): Fix {
  const seconds = Math.max(60, Math.ceil((2 * ms) / 1000));
  return {
    nginx: `proxy_read_timeout ${seconds}s;\nproxy_send_timeout ${seconds}s;`,
    Caddy: [
      'reverse_proxy 127.0.0.1:8080 {',
      '  transport http {',
      `    read_timeout ${seconds}s`,
      `    write_timeout ${seconds}s`,
      '  }',
      '}',
    ].join('\n'),
    HAProxy: `timeout client ${seconds}s\ntimeout server ${seconds}s\ntimeout tunnel 1h`,
  };
}

/** The server takes pages of this Origin for strangers. */
export function originFix(origin: string): Fix {
  return {
    Earshot: `"origins": ["same", "${origin}"]`,
    nginx:
      '# for "same" the server needs the Host that the browser asked for\nproxy_set_header Host $http_host;',
    Caddy: '# passes Host on by itself: take out `header_up Host …`\nreverse_proxy 127.0.0.1:8080',
  };
}

/** The certificate that was shown is not trusted here. */
export const CERTIFICATE_FIX: Fix = {
  nginx: [
    '# the certificate of this name, followed by those that vouch for it',
    'ssl_certificate /etc/letsencrypt/live/app.example/fullchain.pem;',
    'ssl_certificate_key /etc/letsencrypt/live/app.example/privkey.pem;',
  ].join('\n'),
  Caddy:
    '# a site that is called by its name gets a certificate by itself\napp.example {\n  reverse_proxy 127.0.0.1:8080\n}',
};
