import * as z from 'zod';
import { isChannel } from '../../protocol/channel.js';

export const ms = z.int().min(1);
export const count = z.int().min(1);
export const perSecond = z.number().positive();
export const channel = z.string().refine(isChannel, { error: 'not the name of a channel' });

/** What only code can hand over: a file, the environment or a flag can't. */
export function given<T>(kind: 'function' | 'object', meaning: string) {
  return z
    .custom<T>((value) => typeof value === kind && value !== null, { error: `expected a ${kind}` })
    .optional()
    .meta({ description: meaning, inCode: true });
}

/** A text that is shown to nobody: it has no flag, and is masked wherever options are printed. */
export function secretText(meaning: string) {
  return z.string().min(1).meta({ description: meaning, secret: true });
}
