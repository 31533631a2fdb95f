import type { ListOptions } from '../api/sessions.js';

type List<Item> = (options: ListOptions) => readonly Item[] | Promise<readonly Item[]>;

/** A page of a list, and where the next one begins: null where there is none. */
export async function pageOf<Item>(
  list: List<Item>,
  keyOf: (item: Item) => string,
  { after, limit }: { readonly after?: string; readonly limit: number },
): Promise<{ readonly items: readonly Item[]; readonly next: string | null }> {
  const items = await list({ after, limit });
  const last = items.at(-1);
  if (last === undefined || items.length < limit) return { items, next: null };
  const following = await list({ after: keyOf(last), limit: 1 });
  return { items, next: following.length === 0 ? null : keyOf(last) };
}
