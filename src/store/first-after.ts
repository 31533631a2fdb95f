/** The `limit` names that come first after `after`, sorted by their bytes, out of many: in time that hardly depends on `limit`. */
export function firstAfter(names: Iterable<string>, after: string, limit: number): string[] {
  const first: string[] = [];
  for (const name of names) {
    const last = first.at(-1);
    if (name <= after || (first.length === limit && last !== undefined && name >= last)) continue;
    first.splice(placeOf(first, name), 0, name);
    if (first.length > limit) first.pop();
  }
  return first;
}

function placeOf(sorted: readonly string[], name: string): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sorted[middle] ?? '') < name) from = middle + 1;
    else to = middle;
  }
  return from;
}
