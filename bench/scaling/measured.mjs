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

const TO_MANY = '100 publishers, to 1,000 channels in turn';
const OF_FEW = '1,000 channels, two readers each';
const ALONE = 'connect and close alone';
const TO_ONE = 'all to a channel that somebody reads';
const TO_OTHERS = 'each to another of 1,000 channels, which nobody reads';
const NODE = 'earshot/one';
const NODES = 'earshot/two';

function nodeCosts({ node }, { answers, channels, reconnects, waiting }) {
  const comingBack = (work) => reconnects?.seen[work][NODE].serversUs.median;
  const waits = (what) => waiting?.seen[what].cpuUs;
  return {
    publishUs: answers?.seen[TO_MANY][NODES].serversUs.median,
    hearUs: channels && channels.seen[OF_FEW][NODES].secondMessageUs.median - node.deliveryUs.value,
    subscribeUs: reconnects && comingBack(TO_OTHERS) - comingBack(ALONE),
    lookUs: reconnects && (comingBack(TO_OTHERS) - comingBack(TO_ONE)) / 3,
    waitingUs: waits('no pings'),
    pingUs: waiting && waits('a ping a second') - waits('no pings'),
    socketKib: waiting && waiting.seen['no pings'].kernelKib / 2,
  };
}

function redisCosts({ appends, reconnects }) {
  const cost = (what) => appends?.seen[what]?.cpuUs.median;
  const [few, many] = [cost('told to 1'), cost('told to 50')];
  return {
    appendUs: cost('channels'),
    appendTogetherUs: cost('together'),
    announceUs: few && many && (many - few) / 49,
    lookUs: cost('look'),
    openUs: reconnects?.seen[TO_OTHERS][NODE].redisUs.median,
    messageBytes: appends?.seen.bytesKept,
  };
}

function wireCosts({ appends }) {
  const told = appends?.seen['told to 1']?.bytesEach;
  return { announcementBytes: told && told - 128 };
}

const rounded = (value) => (Number.isFinite(value) ? Number(value.toPrecision(3)) : undefined);
