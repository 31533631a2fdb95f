// The same, with its native add-on.
import { start as startEarshot } from './earshot.mjs';

export { talk } from './earshot.mjs';

export const title = 'Earshot, accelerated';

export function start({ flags = [], ...options }) {
  return startEarshot({ ...options, flags: [...flags, '--accelerate'] });
}
