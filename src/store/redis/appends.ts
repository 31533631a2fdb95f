import { JSON_TYPE, mediaTypeOf } from '../../protocol/media.js';
import { formatOffset } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import type { NewMessage } from '../message.js';
import type { Appended, AppendOptions } from '../store.js';
import type { Directory } from './directory.js';
import type { Ears } from './ears.js';
import type { Argument } from './link/connection.js';
import { script } from './link/connection.js';
import type { Answer, Runner } from './runner.js';
import { APPEND } from './scripts/append.js';
import { argumentsOf, storedAs } from './words/page.js';
import type { Reply } from './words/reply.js';
import { BadReply, epochFrom, refusalFrom } from './words/reply.js';

/** One append. */
export interface Work {
  readonly messages: readonly NewMessage[];
  readonly options: AppendOptions;
}

const append = script(APPEND);

/** Appends to one channel, several in one step of Redis. */
export class Appends {
  readonly #runner: Runner;
  readonly #directory: Directory;
  readonly #ears: Ears;

  constructor(runner: Runner, directory: Directory, ears: Ears) {
    this.#runner = runner;
    this.#directory = directory;
    this.#ears = ears;
  }

  /** What each came to. Rejects where none of them was done, or nobody knows. */
  async doTogether(channel: string, works: readonly Work[]): Promise<readonly (Appended | Error)[]> {
    const own = works.flatMap(argumentsOfWork);
    await this.#ears.settled(channel);
    const found = await this.#runner.run(append, channel, ['0', ...own]);
    if (found.word !== 'absent') return this.#answers(channel, works, found);
    if (!(await this.#directory.enter(channel))) return works.map(({ options }) => this.#noRoom(options));
    const made = await this.#runner.run(append, channel, ['1', ...own]);
    await this.#directory.enter(channel);
    return this.#answers(channel, works, made);
  }

  #noRoom({ creates = true }: AppendOptions): Refused {
    return creates ? this.#directory.full() : new Refused('not_found', 'there is no such channel');
  }

  #answers(channel: string, works: readonly Work[], { word, reply }: Answer): (Appended | Error)[] {
    if (word !== 'answers') throw new BadReply('no answers');
    const answers = [...reply.list().lists()];
    return works.map((work, at) => this.#answer(channel, work, answers[at]));
  }

  #answer(channel: string, { messages, options }: Work, reply: Reply | undefined): Appended | Error {
    if (reply === undefined) throw new BadReply('too few answers');
    const word = reply.text();
    if (word === 'refused') return refusalFrom(reply, options.producer);
    if (word !== 'stored') throw new BadReply('no answer to an append');
    const epoch = epochFrom(reply.text());
    const seq = reply.number();
    const duplicate = reply.flag();
    const closed = reply.flag();
    const producerSeq = reply.text();
    const at = reply.number();
    if (!duplicate && this.#ears.has(channel))
      this.#ears.stored(channel, { epoch, seq, closed }, storedAs(messages, { epoch, seq, at }));
    return {
      offset: formatOffset(epoch, seq),
      duplicate,
      closed,
      ...(producerSeq !== '' && { producerSeq: Number(producerSeq) }),
    };
  }
}

/** A text that may be empty, told apart from none. */
function optional(text: string | undefined): string {
  return text === undefined ? '' : `=${text}`;
}

function argumentsOfWork({ messages, options }: Work): Argument[] {
  const { contentType = JSON_TYPE, producer, order, closes = false, creates = true } = options;
  return [
    creates ? '1' : '0',
    mediaTypeOf(contentType),
    closes ? '1' : '0',
    optional(order),
    optional(producer?.id),
    String(producer?.epoch ?? 0),
    String(producer?.seq ?? 0),
    String(messages.length),
    ...argumentsOf(messages),
  ];
}
