/**
 * The proof that a cut loses nothing. The page counts every offset that it was handed; after a cut it asks the
 * server for its log from the place of the cut, and compares the two. Offsets are opaque: they are compared,
 * never taken apart.
 */

/** @typedef {{ at: Date, offset: string | undefined, mark: HTMLElement }} Cut Where and when the line was cut. */
/** @typedef {{ after: string, upTo: string, caughtUp: number, missing: number, twice: number }} Proof */

/** How many offsets are remembered; a channel keeps 1,000 messages unless it is told otherwise. */
const MAX_REMEMBERED = 10_000;
/** How long a message that stands in the server's log may take to arrive here before it is called missing. */
const PATIENCE_MS = 10_000;
const PAGE = 1000;

/** What this page received: each offset and how often. */
export class Ledger {
  /** @type {Map<string, number>} */
  #times = new Map();
  /** @type {Set<() => void>} */
  #watchers = new Set();

  /** @param {string} offset */
  note(offset) {
    this.#times.set(offset, this.times(offset) + 1);
    for (const oldest of this.#times.keys()) {
      if (this.#times.size <= MAX_REMEMBERED) break;
      this.#times.delete(oldest);
    }
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** @param {string} offset */
  times(offset) {
    return this.#times.get(offset) ?? 0;
  }

  /** How many came more than once, wherever they stand in the log. */
  get repeats() {
    return [...this.#times.values()].filter((times) => times > 1).length;
  }

  /**
   * Resolves when the condition holds, which is looked at with each message, or when patience ends.
   * @param {() => boolean} holds
   * @returns {Promise<void>}
   */
  until(holds) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve();
      };
      const look = () => holds() && done();
      const timer = setTimeout(done, PATIENCE_MS);
      this.#watchers.add(look);
      look();
    });
  }
}

/**
 * Compares what came since the cut with the server's log. Rejects where the log can't be read from there.
 * @param {import('earshot/client').Client} client
 * @param {string} channel
 * @param {Ledger} ledger
 * @param {string} after The offset of the cut.
 * @returns {Promise<Proof>}
 */
export async function prove(client, channel, ledger, after) {
  const { offsets, upTo } = await logAfter(client, channel, after);
  await ledger.until(() => offsets.every((offset) => ledger.times(offset) > 0));
  const missing = offsets.filter((offset) => ledger.times(offset) === 0).length;
  return { after, upTo, caughtUp: offsets.length - missing, missing, twice: ledger.repeats };
}

/**
 * The offsets of everything that the server keeps after this one, up to now.
 * @param {import('earshot/client').Client} client
 * @param {string} channel
 * @param {string} after
 */
async function logAfter(client, channel, after) {
  /** @type {string[]} */
  const offsets = [];
  let page = await client.history(channel, { offset: after, limit: PAGE });
  offsets.push(...page.messages.map(({ offset }) => offset));
  while (!page.upToDate && offsets.length < MAX_REMEMBERED) {
    page = await client.history(channel, { offset: page.offset, limit: PAGE });
    offsets.push(...page.messages.map(({ offset }) => offset));
  }
  return { offsets, upTo: page.offset };
}

/**
 * The proof in words.
 * @param {Proof} proof
 */
export function sentence({ caughtUp, missing, twice }) {
  const messages = caughtUp === 1 ? '1 message' : `${caughtUp} messages`;
  const verdict = missing === 0 && twice === 0 ? 'complete' : 'incomplete';
  return `${verdict}, ${messages} caught up, ${missing} missing, ${twice} twice`;
}
