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
/** One of the nodes frees so many channels a second of what is no longer kept: about as much for Redis as a look. */
const SWEPT_A_SECOND = 500;
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
export function loadOf(scenario, nodes, costs) {
  const traffic = trafficOf(scenario, nodes);
  return { ...traffic, ...nodeOf(scenario, traffic, costs), ...redisOf(scenario, traffic, costs) };
}

/** What happens, a second. */
function trafficOf({ readers, channels, perSecond, comings = 0 }, nodes) {
  const perChannel = readers / channels;
  const appends = channels * perSecond;
  /** Nodes that read a channel. */
  const reached = distinct(nodes, perChannel);
  return {
    nodes,
    appends,
    reached,
    perChannel,
    comings,
    sessions: readers / nodes,
    /** Whoever reads a channel is told who comes and goes there. */
    deliveries: (appends + comings) * perChannel,
    told: appends * reached,
    looks: (channels * reached) / LOOK_EVERY_S,
    /** What all nodes say of members: a hundred texts a second each at most, and a word a second. Every node hears it. */
    texts: Math.min(comings, nodes * 100) + nodes,
  };
}

/** One of the nodes. */
function nodeOf({ readers, dataBytes, together = 1 }, traffic, { node, wire }) {
  const { nodes, appends, told, deliveries, looks, texts, comings, sessions, perChannel } = traffic;
  const deliveryUs = together > 1 ? node.burstDeliveryUs.value : node.deliveryUs.value;
  const sharedUs =
    appends * node.publishUs.value +
    told * node.hearUs.value +
    looks * node.lookUs.value +
    deliveries * deliveryUs;
  const newsUs = comings * node.newsUs.value + texts * node.hearUs.value;
  const waitingUs = sessions * (node.waitingUs.value + node.pingUs.value / PING_EVERY_S);
  const membersMib = comings > 0 ? (readers * node.memberBytes.value) / 1024 ** 2 : 0;
  const sessionsMib = (sessions * (node.sessionKib.value + node.socketKib.value)) / 1024;
  const onWire = dataBytes + wire.envelopeBytes.value + wire.packetBytes.value / together;
  return {
    nodeShare: (sharedUs / nodes + newsUs + waitingUs) / 1e6,
    newsShare: newsUs / 1e6,
    lastUs: (perChannel / nodes) * deliveryUs * together,
    memoryMib: node.processMib.value + sessionsMib + membersMib,
    bitsOut: deliveries * onWire * 8,
  };
}

/** All masters together. */
function redisOf({ channels, perSecond, dataBytes, kept = 1000 }, traffic, { redis, wire }) {
  const { nodes, appends, told, looks, texts, comings, reached } = traffic;
  const redisUs =
    appends * redis.appendUs.value +
    (told + texts * nodes) * redis.announceUs.value +
    looks * redis.glanceUs.value +
    Math.min(channels, SWEPT_A_SECOND) * redis.lookUs.value;
  const bytesOut = told * (dataBytes + wire.announcementBytes.value) + comings * nodes * wire.newsBytes.value;
  return {
    redisShare: redisUs / 1e6,
    redisNewsShare: (texts * nodes * redis.announceUs.value) / 1e6,
    redisBitsOut: bytesOut * 8,
    redisGib: (channels * kept * (redis.messageBytes.value + dataBytes - 128)) / 1024 ** 3,
    /** After it was away: every node asks where each channel ends that it reads. */
    redisBackS: (channels * reached * redis.lookUs.value) / 1e6,
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

/** How many appends a second of one channel half a Redis bears that tells so many nodes of each, and what it sends then. */
export function appendsOfOneChannel(nodes, { dataBytes }, { redis, wire }) {
  const perSecond = (REDIS_SHARE * 1e6) / (redis.appendTogetherUs.value + nodes * redis.announceUs.value);
  return { perSecond, bitsOut: perSecond * nodes * (dataBytes + wire.announcementBytes.value) * 8 };
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
