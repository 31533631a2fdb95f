import type { ChildProcess } from 'node:child_process';

/** What `node:cluster` says to a worker with a connection, and hears when that has taken it or not. */
interface Handing {
  readonly act?: unknown;
  readonly seq?: unknown;
  readonly ack?: unknown;
}

interface Handle {
  close(): void;
}

/**
 * Closes the connections that were on their way to a worker when it ended. Node forgets them, and leaves them open: who
 * has made one would wait for an answer for ever. Where Node does otherwise some day, there is nothing to be closed here.
 */
export function closeUntaken(worker: ChildProcess): void {
  const handed = new Map<unknown, Handle>();
  const send: (...args: never) => boolean = worker.send;
  worker.send = (...args: readonly unknown[]) => {
    const [message, handle] = args as readonly [Handing | undefined, Handle | undefined]; // as cluster calls it
    if (message?.act === 'newconn' && handle !== undefined) handed.set(message.seq, handle);
    return send.apply(worker, args as never);
  };
  worker.on('internalMessage', ({ ack }: Handing) => void handed.delete(ack));
  worker.once('exit', () => {
    for (const handle of handed.values()) handle.close();
  });
}
