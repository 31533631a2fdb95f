import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default {
  cacheDir: join(tmpdir(), `earshot-conformance-${process.pid}`),
  test: {
    include: ['test/conformance/*.vitest.ts'],
    testTimeout: 60_000,
    pool: 'threads',
    maxWorkers: 1,
    cache: false,
  },
};
