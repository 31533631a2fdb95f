// What a deployment comes to: arithmetic on what has been measured, and nothing else. See docs/scaling.md for what it leaves out.

/** Of a node's core, and of Redis': the rest is for what isn't in any figure here, for bursts, and for the end of a node. */
export const NODE_SHARE = 1 / 3;
export const REDIS_SHARE = 1 / 2;
/** `limits.maxSessions`, as it is by default: the others have to take those of a node that ends. */
export const MOST_SESSIONS = 50_000;
/** For one message to reach the last of a node's readers. */
const WITHIN_US = 250_000;
const PING_EVERY_S = 25;
/** A node looks so often where a channel ends that it reads: what it should have been told may be lost. */
const LOOK_EVERY_S = 20;
const MOST_NODES = 5000;

/**
 * The fewest nodes that bear this, and what there is then. `scenario`: readers, channels, perSecond (messages of each channel),
 * dataBytes, together (messages that leave in one write, default 1), comings (members that come or go, a second; 0: no
 * presence), kept (messages that each channel keeps).
 */
export function deploymentOf(scenario, costs) {
  let nodes = 2;
  while (nodes < MOST_NODES && boundBy(loadOf(scenario, nodes, costs)) !== undefined) nodes++;
  const bound = nodes === 2 ? 'one may end' : boundBy(loadOf(scenario, nodes - 1, costs));
  return { ...loadOf(scenario, nodes, costs), bound };
}

/** What these nodes have to do, a second. */
export function loadOf(scenario, nodes, { node, redis, wire }) {
  const { readers, channels, perSecond, dataBytes, together = 1, comings = 0, kept = 1000 } = scenario;
  const appends = channels * perSecond;
  const perChannel = readers / channels;
  const reached = distinct(nodes, perChannel);
  const told = appends * reached;
  const deliveries = appends * perChannel + comings * (comings > 0 ? perChannel : 0);
  const looks = (channels * reached) / LOOK_EVERY_S;
  const sessions = readers / nodes;
  const deliveryUs = together > 1 ? node.burstDeliveryUs.value : node.deliveryUs.value;
  // Every node hears what every other one tells: its news, a hundred texts a second at most, and a word a second.
  const texts = Math.min(comings, nodes * 100) + nodes;
  const newsUs = comings * node.newsUs.value + texts * node.hearUs.value;
  const nodeUs =
    (appends * node.publishUs.value +
      told * node.hearUs.value +
      deliveries * deliveryUs +
      looks * node.lookUs.value) /
      nodes +
    newsUs +
    sessions * (node.waitingUs.value + node.pingUs.value / PING_EVERY_S);
  const members = comings > 0 ? readers : 0;
  const redisUs =
    appends * redis.appendUs.value +
    (told + texts * nodes) * redis.announceUs.value +
    looks * redis.lookUs.value;
  const onWire = dataBytes + wire.envelopeBytes.value + wire.packetBytes.value / together;
  return {
    nodes,
    sessions,
    appends,
    deliveries,
    reached,
    nodeShare: nodeUs / 1e6,
    newsShare: newsUs / 1e6,
    lastUs: (perChannel / nodes) * deliveryUs * together,
    memoryMib:
      node.processMib.value +
      (sessions * (node.sessionKib.value + node.socketKib.value)) / 1024 +
      (members * node.memberBytes.value) / 1024 ** 2,
    bitsOut: deliveries * onWire * 8,
    redisShare: redisUs / 1e6,
    redisBitsOut:
      (told * (dataBytes + wire.announcementBytes.value) + comings * nodes * wire.newsBytes.value) * 8,
    redisGib: (channels * kept * (redis.messageBytes.value + dataBytes - 128)) / 1024 ** 3,
    /** After it was away: every node asks for every channel that it reads. */
    redisBackS: (channels * reached * redis.openUs.value) / 1e6,
    /** One that can't be divided: all of a channel is in one place. */
    channelShare: (perSecond * (redis.appendTogetherUs.value + reached * redis.announceUs.value)) / 1e6,
  };
}

/** Of so many nodes, those that have at least one of a channel's readers, where each is anywhere. */
function distinct(nodes, perChannel) {
  return nodes * (1 - (1 - 1 / nodes) ** perChannel);
}

/** What these nodes are too few for. */
function boundBy({ nodes, sessions, nodeShare, lastUs }) {
  if ((sessions * nodes) / (nodes - 1) > MOST_SESSIONS) return 'sessions';
  if (nodeShare > NODE_SHARE) return 'CPU';
  return lastUs > WITHIN_US ? 'delay' : undefined;
}

/** Masters of a Cluster; one is a Redis by itself. What doesn't fit even so is told with `undefined`. */
export function mastersOf({ redisShare, channelShare }) {
  return channelShare > REDIS_SHARE ? undefined : Math.max(1, Math.ceil(redisShare / REDIS_SHARE));
}

/** Of all nodes: one for commands and one for what is announced, to each master. */
export const connectionsOf = (nodes, masters) => 2 * nodes * masters;

/** How many appends a second of one channel a Redis bears that tells so many nodes of each. */
export function appendsOfOneChannel(nodes, { redis }) {
  return (REDIS_SHARE * 1e6) / (redis.appendTogetherUs.value + nodes * redis.announceUs.value);
}

/** How many messages a second of one channel a node bears that has so many of its readers, and after how long the last has one. */
export function messagesOfOneChannel(readers, { node }) {
  return {
    single: (NODE_SHARE * 1e6) / (node.hearUs.value + readers * node.deliveryUs.value),
    together: (NODE_SHARE * 1e6) / (node.hearUs.value + readers * node.burstDeliveryUs.value),
    lastMs: (readers * node.deliveryUs.value) / 1000,
  };
}

/**
 * Readers that long-poll, straight and by caches which ask once for all that ask them: what comes to the nodes, a second. A
 * turn ends with a message, and after 30 s without one.
 */
export function pollingOf({ readers, channels, perSecond, caches }, { node }) {
  const turnsEach = Math.max(perSecond, 1 / 30);
  const straight = readers * turnsEach;
  // Nothing to tell is no answer that a cache may keep: it asks for each of its readers.
  const shared = perSecond >= 1 / 30 ? Math.min(readers, caches * channels) * turnsEach : straight;
  const nodesFor = (turns) => Math.ceil((turns * node.longPollTurnUs.value) / 1e6 / NODE_SHARE);
  return {
    straight: { turns: straight, nodes: Math.max(nodesFor(straight), Math.ceil(readers / MOST_SESSIONS)) },
    cached: { turns: shared, nodes: Math.max(1, nodesFor(shared)) },
  };
}
