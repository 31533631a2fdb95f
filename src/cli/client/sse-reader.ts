/** One Server-Sent Event, as far as it is read here: what came with it, and the last id that was told. */
export interface ReceivedEvent {
  readonly id: string;
  /** Empty where only the id was told. */
  readonly data: string;
}

/** The events of a response, each once it is complete: what a cut leaves of one is not an event (HTML, §9.2.6). */
export async function* eventsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<ReceivedEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body) {
    const blocks = (rest + decoder.decode(bytes, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const lines = block.split('\n');
      const id = lines.flatMap((line) => fieldOf(line, 'id')).at(-1);
      if (id !== undefined) yield { id, data: lines.flatMap((line) => fieldOf(line, 'data')).join('\n') };
    }
  }
}

function fieldOf(line: string, field: string): string[] {
  if (!line.startsWith(`${field}:`)) return [];
  const value = line.slice(field.length + 1);
  return [value.startsWith(' ') ? value.slice(1) : value];
}
