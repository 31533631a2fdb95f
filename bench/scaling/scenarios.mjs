// What is asked of the model: a million readers in some ways, and what stands in the way of each.
const READERS = 1_000_000;

export const MILLION = [
  ['one channel, a message a second', { readers: READERS, channels: 1, perSecond: 1, dataBytes: 128 }],
  [
    'one channel, 20 a second, gathered (`flushMs` 500)',
    { readers: READERS, channels: 1, perSecond: 20, dataBytes: 128, together: 10 },
  ],
  [
    '100,000 channels of 10, a message in 10 s each',
    { readers: READERS, channels: 100_000, perSecond: 0.1, dataBytes: 128 },
  ],
  [
    'chat: 20,000 rooms of 50, a message in 5 s each; presence, a stay of 10 minutes',
    { readers: READERS, channels: 20_000, perSecond: 0.2, dataBytes: 128, comings: (2 * READERS) / 600 },
  ],
];

/** Long-polling, straight and by caches. */
export const POLLED = [
  ['one channel, a message a second', { readers: READERS, channels: 1, perSecond: 1, caches: 100 }],
  [
    '1,000 channels, a message in 10 s each',
    { readers: READERS, channels: 1000, perSecond: 0.1, caches: 100 },
  ],
  [
    '100,000 channels, a message in 10 s each',
    { readers: READERS, channels: 100_000, perSecond: 0.1, caches: 100 },
  ],
  ['one channel, a message in an hour', { readers: READERS, channels: 1, perSecond: 1 / 3600, caches: 100 }],
];

/** Members, nodes, and how many come or go a second. */
export const PRESENCE = [
  [10_000, 2, 33],
  [100_000, 5, 333],
  [1_000_000, 25, 3333],
  [1_000_000, 25, 33_333],
  [1_000_000, 100, 3333],
];

const BUSY = 1 / 3;
export const STORMS = ['kill', 'drain'].flatMap((how) =>
  [
    { nodes: 2, sessions: 10_000 },
    { nodes: 2, sessions: 25_000 },
    { nodes: 2, sessions: 50_000 },
    { nodes: 10, sessions: 45_000 },
    { nodes: 100, sessions: 10_000 },
  ].map((each) => ({ ...each, how, busy: BUSY })),
);
