/** The `limit` names that come first after `after`, in the order of their letters, out of many. Holds twice as many at most. */
export function firstAfter(names: Iterable<string>, after: string, limit: number): string[] {
  const first: string[] = [];
  let last: string | undefined;
  for (const name of names) {
    if (name <= after || (last !== undefined && name >= last)) continue;
    if (first.push(name) < limit * 2) continue;
    first.sort();
    first.length = limit;
    last = first.at(-1);
  }
  return first.sort().slice(0, limit);
}
