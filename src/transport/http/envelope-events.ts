import type { EnvelopeText } from './envelopes.js';
import { envelopeTexts } from './envelopes.js';
import { eventText } from './event.js';
import type { EventStreamOptions } from './event-stream.js';
import { EventStream } from './event-stream.js';
import type { Positions } from './positions.js';
import type { HttpResponse } from './response-carrier.js';

/** Several channels as Server-Sent Events: one envelope each, with the cursor after it as its id. */
export class EnvelopeEventStream extends EventStream<readonly EnvelopeText[]> {
  readonly #positions: Positions;
  #hasCursor = false;

  constructor(response: HttpResponse, positions: Positions, options: EventStreamOptions) {
    super(response, options);
    this.encoding = envelopeTexts;
    this.#positions = positions;
  }

  write(envelopes: readonly EnvelopeText[]): void {
    this.#hasCursor = this.#positions.isComplete;
    this.send(
      envelopes
        .map((each) => {
          this.#positions.follow(each);
          return eventText({ ...(this.#hasCursor && { id: this.#positions.cursor }), data: each.text });
        })
        .join(''),
    );
  }

  /** Where nothing has come, the reader must know all the same where it stands. */
  settled(): void {
    if (this.#hasCursor) return;
    this.#hasCursor = true;
    this.send(eventText({ id: this.#positions.cursor }));
  }
}
