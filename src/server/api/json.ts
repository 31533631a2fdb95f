import { Refused } from '../../protocol/refused.js';

/** The text of data of the host's. Throws `bad_data` for what JSON does not have. */
export function toJson(data: unknown): string {
  try {
    const text: string | undefined = JSON.stringify(data);
    if (text !== undefined) return text;
  } catch {
    // circular, or a bigint: no JSON either
  }
  throw new Refused('bad_data', 'the data is nothing that JSON has');
}
