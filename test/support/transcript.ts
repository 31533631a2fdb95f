import type { Block } from './documents.js';

/** One line of an example: what a client sends, or what the server answers. */
export interface Line {
  readonly direction: 'sent' | 'received';
  readonly text: string;
}

/** The lines of an example. Throws for one that is neither sent nor received. */
export function linesOf({ text, line }: Block): readonly Line[] {
  const lines = text.trimEnd().split('\n');
  return lines.map((each, at) => {
    const [, sign, rest = ''] = /^([<>]) (.+)$/.exec(each) ?? [];
    if (sign === undefined) throw new Error(`line ${line + 1 + at} is neither sent nor received: ${each}`);
    return { direction: sign === '>' ? 'sent' : 'received', text: rest };
  });
}

const PLACEHOLDER = /‹([^›]+)›/;
const VALUE = '[^",}\\s]+';

/** What the words in ‹ › stand for, as far as it has come up. */
export class Placeholders {
  readonly #values = new Map<string, string>();

  constructor(known: Readonly<Record<string, string>> = {}) {
    for (const [name, value] of Object.entries(known)) this.#values.set(name, value);
  }

  /** The text with every placeholder replaced. Throws for one whose value is not known. */
  fill(text: string): string {
    return text.replace(new RegExp(PLACEHOLDER, 'g'), (_, name: string) => {
      const value = this.#values.get(name);
      if (value === undefined) throw new Error(`nobody has said what ‹${name}› is`);
      return value;
    });
  }

  /**
   * Learns from what came what the placeholders of `expected` stand for that are not known yet. Gives what was
   * expected with all of them filled in; where it doesn't fit, those that are not known stay.
   */
  learn(expected: string, came: string): string {
    const names: string[] = [];
    const pattern = expected.split(new RegExp(PLACEHOLDER, 'g')).map((part, at) => {
      if (at % 2 === 0) return escaped(part);
      const known = this.#values.get(part);
      if (known !== undefined) return escaped(known);
      if (names.includes(part)) return `\\k<p${names.indexOf(part)}>`;
      return `(?<p${names.push(part) - 1}>${VALUE})`;
    });
    const found = new RegExp(`^${pattern.join('')}$`).exec(came)?.groups ?? {};
    for (const [at, name] of names.entries()) {
      const value = found[`p${at}`];
      if (value !== undefined) this.#values.set(name, value);
    }
    return expected.replace(new RegExp(PLACEHOLDER, 'g'), (whole, name: string) => {
      return this.#values.get(name) ?? whole;
    });
  }
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
