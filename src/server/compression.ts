import { matchesPattern } from '../core/pattern.js';
import type { WebSocketServerOptions } from '../transport/websocket/server.js';
import type { ResolvedOptions } from './options.js';

const DEFAULTS = { threshold: 1024, level: 1 };

/** The options of permessage-deflate, as the transport takes them. */
export function compressionOf({
  perMessageDeflate,
  compress,
}: ResolvedOptions): Pick<WebSocketServerOptions, 'perMessageDeflate' | 'compresses'> {
  const asked = perMessageDeflate === true ? DEFAULTS : perMessageDeflate;
  return {
    perMessageDeflate: asked === false ? undefined : asked,
    compresses: (channel) => compress.some((pattern) => matchesPattern(pattern, channel)),
  };
}
