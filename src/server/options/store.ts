import * as z from 'zod';
import { AddressError, isRedisAddress, parseRedisAddress } from '../../store/redis/link/address.js';

const NAMES: readonly string[] = ['memory', 'lmdb'];

/** The store by its name or its address; the password that may be in it is masked wherever options are printed. */
export const storeText = z
  .string()
  .superRefine((text, context) => {
    const message = faultOf(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  })
  .meta({ address: true });

function faultOf(text: string): string | undefined {
  if (NAMES.includes(text)) return undefined;
  if (!isRedisAddress(text))
    return 'expected memory, lmdb, or an address like redis://user:password@host:6379/0';
  try {
    parseRedisAddress(text);
    return undefined;
  } catch (error) {
    if (error instanceof AddressError) return `the address ${error.message}`;
    throw error;
  }
}
