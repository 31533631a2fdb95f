import { StringDecoder } from 'node:string_decoder';

/** One Server-Sent Event that came whole. */
export interface StreamEvent {
  /** Undefined for what is called `message`. */
  readonly event: string | undefined;
  readonly id: string | undefined;
  /** Undefined where it has none: browsers call nobody then. */
  readonly data: string | undefined;
}

const END = /\n\n|\r\r|\r\n\r\n/;
const LINE = /\r\n|\r|\n/;

/** Server-Sent Events out of bytes, as HTML §9.2.6 reads them: what was begun and not ended is none. */
export async function* eventsIn(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new StringDecoder('utf8');
  let text = '';
  for await (const chunk of bytes) {
    text += decoder.write(Buffer.from(chunk));
    const blocks = text.split(END);
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = eventOf(block);
      if (event !== undefined) yield event;
    }
  }
}

/** Undefined for comments, and for what only says when to come back. */
function eventOf(block: string): StreamEvent | undefined {
  const fields = new Map<string, string[]>();
  for (const line of block.split(LINE)) {
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    fields.set(name, [...(fields.get(name) ?? []), value]);
  }
  const [event, id, data] = [fields.get('event')?.at(-1), fields.get('id')?.at(-1), fields.get('data')];
  return id === undefined && data === undefined ? undefined : { event, id, data: data?.join('\n') };
}
