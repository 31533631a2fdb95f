import type { Server } from 'node:http';

/**
 * Sees an event of a server before its listeners do, and keeps from them what `take` takes. Others may wrap
 * `emit` as well, before or after: given back out of order, this one stays in the chain and lets everything pass.
 */
export function interceptEmit(
  server: Server,
  event: 'request' | 'upgrade',
  take: (args: readonly unknown[]) => boolean,
): () => void {
  const inner = server.emit;
  let active = true;
  const emit = (emitted: string, ...args: unknown[]): boolean =>
    (active && emitted === event && take(args)) || Reflect.apply(inner, server, [emitted, ...args]);
  server.emit = emit as Server['emit']; // its overloads can't say "any event, whatever it carries"
  return () => {
    active = false;
    if (server.emit === emit) server.emit = inner;
  };
}
