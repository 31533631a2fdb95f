// Windows that take turns: every side in every round, in random order, the floor before every second one.
import { quartiles } from '../processes.mjs';

/** Who waits more than this share of a window for its core was disturbed by somebody else. */
const WAITED_SHARE = 0.03;
/** How much longer than the CPU that it should have used one side may take at most to get warm: not every core is its own. */
const WARMING = 2;

/**
 * `sides` have a name and a window, `floor` is one of them or none. Before they are counted, each server works until it has
 * used `warmCpuMs`, in windows of its `warm` where it has that: its code is compiled then.
 */
export async function takeTurns({ sides, floor, rounds, windowMs, tries, warmCpuMs }) {
  for (const side of floor === undefined ? sides : [floor, ...sides]) await warm(side, windowMs, warmCpuMs);
  const windows = [];
  const floors = [];
  const measureFloor = async () => floor !== undefined && floors.push(await measured(floor, windowMs, tries));
  for (let round = 1; round <= rounds; round++) {
    for (const [at, side] of shuffled(sides).entries()) {
      if (at % 2 === 0) await measureFloor();
      const seen = await measured(side, windowMs, tries);
      windows.push({ round, name: side.name, base: floors.length - 1, ...seen });
    }
  }
  await measureFloor();
  return { windows: windows.map((each) => related(each, floors)), floors };
}

async function warm({ window, warm = window }, windowMs, warmCpuMs) {
  let [usedNs, tookMs] = [0, 0];
  while (usedNs < warmCpuMs * 1e6 && tookMs < WARMING * warmCpuMs) {
    usedNs += (await warm(windowMs)).cpuNs;
    tookMs += windowMs;
  }
}

/** Repeated where it was disturbed, while that helps. */
async function measured({ window }, ms, tries) {
  for (let tried = 1; ; tried++) {
    const seen = await window(ms);
    const cpuUs = seen.cpuNs / 1000 / seen.deliveries;
    const disturbed = Math.max(seen.serverWaitedNs, seen.waitedNs) > WAITED_SHARE * seen.wallNs;
    if (!disturbed || tried >= tries) return { ...seen, cpuUs, disturbed };
  }
}

/** To the floor just before and just after it. */
function related(window, floors) {
  const [before, after] = [floors[window.base], floors[window.base + 1]];
  if (before === undefined || after === undefined) return window;
  return { ...window, timesFloor: window.cpuUs / ((before.cpuUs + after.cpuUs) / 2) };
}

/** What the windows of each side say together. */
export function summary({ windows, floors }, titles) {
  const rows = [...titles]
    .filter(([name]) => name !== 'floor')
    .map(([name, title]) => rowOf(name, title, cleanOf(windows, name)));
  if (floors.length > 0) {
    const clean = floors.some(({ disturbed }) => !disturbed)
      ? floors.filter(({ disturbed }) => !disturbed)
      : floors;
    rows.unshift({ ...rowOf('floor', titles.get('floor'), clean), timesFloor: quartiles([1]) });
  }
  return rows;
}

function rowOf(name, title, windows) {
  const of = (value) => quartiles(windows.map(value));
  const has = (key) => windows.every((each) => each[key] !== undefined);
  return {
    name,
    title,
    windows: windows.length,
    disturbed: windows.filter(({ disturbed }) => disturbed).length,
    cpuUs: of(({ cpuUs }) => cpuUs),
    perSecond: of(({ deliveries, wallNs }) => (deliveries / wallNs) * 1e9),
    ...(has('timesFloor') && { timesFloor: of(({ timesFloor }) => timesFloor) }),
    ...(has('p50Us') && { p50Ms: of(({ p50Us }) => p50Us / 1000), p99Ms: of(({ p99Us }) => p99Us / 1000) }),
  };
}

/** Those that nobody disturbed; all of them where these are too few. */
function cleanOf(windows, name) {
  const own = windows.filter((each) => each.name === name);
  const clean = own.filter(({ disturbed }) => !disturbed);
  return clean.length >= Math.min(4, Math.ceil(own.length / 2)) ? clean : own;
}

/** One value of a side, where its windows have it. */
export function quartilesOf(windows, name, value) {
  const values = cleanOf(windows, name).map((each) => each[value]);
  return values.includes(undefined) ? undefined : quartiles(values);
}

/** One side to another, each to its floor where there is one, round by round. */
export function ratio({ windows, floors }, name, than, value = 'cpuUs') {
  const key = value === 'cpuUs' && floors.length > 0 ? 'timesFloor' : value;
  if (than === 'floor') {
    if (floors.length === 0) return undefined;
    if (value === 'cpuUs') return quartiles(cleanOf(windows, name).map((each) => each.timesFloor));
    const base = quartiles(floors.map((each) => each[value])).median;
    return quartiles(cleanOf(windows, name).map((each) => each[value] / base));
  }
  const others = new Map(windows.filter((each) => each.name === than).map((each) => [each.round, each]));
  if (others.size === 0) return undefined;
  const pairs = windows.filter((each) => each.name === name && others.has(each.round));
  const clean = pairs.filter((each) => !each.disturbed && !others.get(each.round).disturbed);
  const kept = clean.length >= Math.min(4, Math.ceil(pairs.length / 2)) ? clean : pairs;
  return quartiles(kept.map((each) => each[key] / others.get(each.round)[key]));
}

function shuffled(values) {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}
