import { concerns, parsePattern } from '../core/policy/pattern.js';
import type { WebSocketServerOptions } from '../transport/websocket/server.js';
import type { ResolvedOptions } from './options/options.js';

const DEFAULTS = { threshold: 1024, level: 1 };

/** The options of permessage-deflate, as the transport takes them. */
export function compressionOf({
  perMessageDeflate,
  compress,
}: ResolvedOptions): Pick<WebSocketServerOptions, 'perMessageDeflate' | 'compresses'> {
  const patterns = compress.map(parsePattern);
  const asked = perMessageDeflate === true ? DEFAULTS : perMessageDeflate;
  return {
    perMessageDeflate: asked === false ? undefined : asked,
    compresses: (channel) => patterns.some((pattern) => pattern !== undefined && concerns(pattern, channel)),
  };
}
