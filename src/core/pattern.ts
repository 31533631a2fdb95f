/**
 * A pattern of channel names: segments joined by `/`, where `*` stands for any one segment and a `**` at the end
 * for any number of them, none included.
 */
export function matchesPattern(pattern: string, channel: string): boolean {
  const wanted = pattern.split('/');
  const segments = channel.split('/');
  const rest = wanted.at(-1) === '**';
  if (rest) wanted.pop();
  if (rest ? segments.length < wanted.length : segments.length !== wanted.length) return false;
  return wanted.every((segment, at) => segment === '*' || segment === segments[at]);
}
