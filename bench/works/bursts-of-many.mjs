import { bursts } from './bursts.mjs';

export const title = 'Bursts of 10 messages, one each from 10 publishers, 1,000 readers';

export const run = (bench) => bursts(bench, 10, [{ than: 'ws', most: 0.17 }]);
