export default { test: { include: ['test/conformance/*.vitest.ts'], testTimeout: 60000, pool: 'threads' } };
