import { DATA, sideBySide } from '../harness/sides.mjs';

export const title =
  'Flatness: one message at a time to few and to many readers, and after a million messages';

export async function run(bench) {
  const rows = [];
  for (const readers of bench.quick ? [10, 100] : [10, 100, 1000, 10_000]) {
    rows.push(...(await rowsOf(bench, readers, `${readers.toLocaleString('en')} readers`)));
  }
  const before = bench.quick ? 50_000 : 1_000_000;
  const after = `100 readers, after ${before.toLocaleString('en')} messages`;
  rows.push(...(await rowsOf(bench, 100, after, before)));
  return { rows, checks: checksOf(rows) };
}

/** What a delivery costs more than to a thousand readers, beyond what the floor itself does. */
function checksOf(rows) {
  const base = rows.find(({ title }) => title === '1,000 readers')?.timesFloor?.median;
  return rows
    .filter(({ timesFloor }) => base !== undefined && timesFloor !== undefined)
    .map(({ title, timesFloor }) => {
      const seen = Object.fromEntries(Object.entries(timesFloor).map(([key, value]) => [key, value / base]));
      return { text: `${title}: CPU, times floor, to that of 1,000 readers`, most: 1.25, seen };
    });
}

async function rowsOf(bench, readers, words, before = 0) {
  const { rows } = await sideBySide(bench, {
    mode: 'fan',
    peers: [],
    open: { readers, publishers: 1 },
    ...(bench.quick ? { turns: { rounds: 2 } } : {}),
    prepare: ({ name, load, talk }) => name === 'earshot' && publish(load, talk, readers, before),
    window: ({ load, talk }, ms) => load.tell('fan', ms, 1, readers, talk.publish(DATA)),
    targets: [],
  });
  return rows.filter(({ name }) => name === 'earshot').map((row) => ({ ...row, title: words }));
}

async function publish(load, talk, readers, messages) {
  for (let done = 0; done < messages; )
    done += (await load.tell('fan', 1000, 100, readers, talk.publish(DATA))).messages;
}
