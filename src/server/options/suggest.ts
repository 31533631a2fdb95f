import { distance } from 'fastest-levenshtein';

/** The candidate that a mistyped word was meant to be; undefined where none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const lower = word.toLowerCase();
  let best: string | undefined;
  let bestEdits = (word.length < 4 ? 1 : Math.max(2, Math.floor(word.length / 3))) + 1; // two letters swapped are two edits
  for (const candidate of candidates) {
    const edits = distance(lower, candidate.toLowerCase());
    if (edits < bestEdits) [best, bestEdits] = [candidate, edits];
  }
  return best;
}

/** `, did you mean …?` where something is near, else nothing. */
export function didYouMean(word: string, candidates: Iterable<string>, prefix = ''): string {
  const meant = nearest(word, candidates);
  return meant === undefined ? '' : `, did you mean ${prefix}${meant}?`;
}
