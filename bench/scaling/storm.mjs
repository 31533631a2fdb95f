// What comes when a node ends: its sessions come back to the others, and these have other work too. Simulated in steps of time,
// with the client's own backoff and the server's own plan of a drain, which are handed in.

const STEP_MS = 10;
const CONNECT_TIMEOUT_MS = 10_000;
const LONGEST_MS = 300_000;
/** `drainTimeoutMs` and `reconnectsPerSecond`, as they are by default. */
const DRAIN = { timeoutMs: 30_000, backWithinMs: 30_000, reconnectsPerSecond: 200 };
const BACKOFF = { minBackoffMs: 500, maxBackoffMs: 20_000 };

/**
 * `nodes` with `sessions` each, of which one ends: by a `kill`, or a `drain`. `busy` is the share of a core that the others need
 * for their own work, and Redis for its own. A client whose connection isn't ready within 10 s gives it up and comes again later; a node finds that
 * out only when it gets to it, and has done most of the work by then.
 *
 * Returned: when half, 99 % and all are back (ms; `allMs` undefined where that takes more than five minutes), attempts in vain, how
 * late a node was at the worst (ms), and how many came back in the best second.
 */
export function stormOf({ nodes, sessions, how, busy, seed }, { costs, backoffMs, planTurns }) {
  const random = randomFrom(seed);
  const arriving = new Timetable();
  const givingUp = new Timetable();
  const told = how === 'drain' ? turnsOf(planTurns(sessions, DRAIN), random) : [];
  for (let client = 0; client < sessions; client++)
    arriving.add(told[client] ?? backoffMs(1, BACKOFF, random()), { failures: 1 });
  const redis = new Worker(busy);
  const survivors = Array.from({ length: nodes - 1 }, () => new Survivor(costs, busy, redis));
  for (let nowMs = 0; nowMs < LONGEST_MS; nowMs += STEP_MS) {
    for (const attempt of givingUp.take(nowMs)) {
      if (attempt.isBack) continue;
      attempt.isDead = true;
      const failures = attempt.failures + 1;
      arriving.add(nowMs + backoffMs(failures, BACKOFF, random()), { failures });
    }
    for (const { failures } of arriving.take(nowMs)) {
      const attempt = { failures, atMs: nowMs, isBack: false, isDead: false };
      survivors[Math.floor(random() * survivors.length)].queue.push(attempt);
      givingUp.add(nowMs + CONNECT_TIMEOUT_MS, attempt);
    }
    redis.step();
    for (const survivor of inTurn(survivors, nowMs / STEP_MS)) survivor.work(nowMs);
    if (sumOf(survivors, ({ backAtMs }) => backAtMs.length) === sessions) break;
  }
  return outcomeOf(survivors, sessions);
}

function outcomeOf(survivors, sessions) {
  const back = survivors.flatMap(({ backAtMs }) => backAtMs).sort((a, b) => a - b);
  const at = (share) => back[Math.ceil(sessions * share) - 1];
  return {
    halfMs: at(0.5),
    mostMs: at(0.99),
    allMs: at(1),
    inVain: sumOf(survivors, ({ inVain }) => inVain),
    latestMs: Math.max(...survivors.map(({ latestMs }) => latestMs)),
    perSecond: mostWithinASecond(back),
  };
}

/** What is left of a core for those who come back. */
class Worker {
  leftUs = 0;
  #perStepUs;

  constructor(busy) {
    this.#perStepUs = (1 - busy) * STEP_MS * 1000;
  }

  step() {
    this.leftUs = Math.min(this.leftUs, 0) + this.#perStepUs; // what wasn't needed is gone
  }
}

/** One of the nodes that go on: it takes one after the other, as far as it and Redis have time. */
class Survivor {
  queue = [];
  backAtMs = [];
  inVain = 0;
  latestMs = 0;
  #at = 0;
  #own;
  #redis;
  #costs;

  constructor({ node, redis }, busy, shared) {
    this.#own = new Worker(busy);
    this.#redis = shared;
    this.#costs = {
      connectUs: node.connectUs.value,
      subscribeUs: node.subscribeUs.value,
      openUs: redis.openUs.value,
    };
  }

  work(nowMs) {
    this.#own.step();
    const isFree = () => this.#own.leftUs > 0 && this.#redis.leftUs > 0;
    for (; isFree() && this.#at < this.queue.length; this.#at++) this.#take(this.queue[this.#at], nowMs);
  }

  #take(attempt, nowMs) {
    this.latestMs = Math.max(this.latestMs, nowMs - attempt.atMs);
    this.#own.leftUs -= this.#costs.connectUs;
    if (attempt.isDead) {
      this.inVain++;
      return;
    }
    this.#own.leftUs -= this.#costs.subscribeUs;
    this.#redis.leftUs -= this.#costs.openUs;
    attempt.isBack = true;
    this.backAtMs.push(nowMs);
  }
}

/** Another one first each time. */
function inTurn(values, turn) {
  const from = turn % values.length;
  return [...values.slice(from), ...values.slice(0, from)];
}

function mostWithinASecond(times) {
  let [most, from] = [0, 0];
  for (const [at, time] of times.entries()) {
    while (times[from] <= time - 1000) from++;
    most = Math.max(most, at - from + 1);
  }
  return most;
}

const sumOf = (values, of) => values.reduce((sum, each) => sum + of(each), 0);

function turnsOf(turns, random) {
  return turns.map(({ atMs, afterMs: [from, to] }) => atMs + from + (to - from) * random());
}

/** What is to happen in which step. */
class Timetable {
  #steps = [];

  add(atMs, what) {
    const step = Math.ceil(atMs / STEP_MS);
    this.#steps[step] ??= [];
    this.#steps[step].push(what);
  }

  take(nowMs) {
    const step = nowMs / STEP_MS;
    const taken = this.#steps[step] ?? [];
    delete this.#steps[step];
    return taken;
  }
}

/** Uniform in [0, 1), the same for the same seed (mulberry32). */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
