// The costs of which a run of `npm run bench:redis` tells.

/** `works` as they are written to its file. What the run didn't have stays as it was. */
export function costsFrom(costs, works) {
  const found = { node: nodeCosts(costs, works), redis: redisCosts(works), wire: wireCosts(works) };
  return Object.fromEntries(
    Object.entries(costs).map(([where, each]) => [
      where,
      Object.fromEntries(
        Object.entries(each).map(([name, cost]) => [
          name,
          { ...cost, value: rounded(found[where][name]) ?? cost.value },
        ]),
      ),
    ]),
  );
}

/** A node has work all the time then, but not much of it at once: dearer than where all comes together. */
const PLANNED = '5000 a second';
const ALONE = 'connect and close alone';
const TO_ONE = 'all to a channel that somebody reads';
const TO_OTHERS = 'each to another of 1,000 channels, which nobody reads';
const NODE = 'earshot/one';
const NODES = 'earshot/two';

function nodeCosts({ node }, { rates, reconnects, waiting }) {
  const comingBack = (work) => reconnects?.seen[work][NODE].serversUs.median;
  const withoutDelivery = (value) =>
    rates?.seen[PLANNED] && rates.seen[PLANNED][NODES][value].median - node.deliveryUs.value;
  const waits = (what) => waiting?.seen[what].cpuUs;
  return {
    publishUs: withoutDelivery('firstMessageUs'),
    hearUs: withoutDelivery('secondMessageUs'),
    subscribeUs: reconnects && comingBack(TO_OTHERS) - comingBack(ALONE),
    lookUs: reconnects && (comingBack(TO_OTHERS) - comingBack(TO_ONE)) / 3,
    waitingUs: waits('no pings'),
    pingUs: waiting && waits('a ping a second') - waits('no pings'),
    socketKib: waiting && waiting.seen['no pings'].kernelKib / 2,
  };
}

function redisCosts({ appends, reconnects }) {
  const cost = (what, pace = 'calm') => appends?.seen[what]?.[pace].cpuUs.median;
  return {
    appendUs: cost('channels'),
    appendTogetherUs: cost('together', 'busy'),
    announceUs: appends && (cost('told to 20') - cost('told to 0')) / 20,
    glanceUs: cost('glance', 'busy'), // a node asks for many at a time
    lookUs: cost('look', 'busy'), // likewise
    openUs: reconnects?.seen[TO_OTHERS][NODE].redisUs.median,
    messageBytes: appends?.seen.bytesKept,
  };
}

function wireCosts({ appends }) {
  return { announcementBytes: appends && appends.seen.bytesTold - 128 };
}

const rounded = (value) => (Number.isFinite(value) ? Number(value.toPrecision(3)) : undefined);
