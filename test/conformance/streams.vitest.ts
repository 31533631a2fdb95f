import { runConformanceTests } from '@durable-streams/server-conformance-tests';

runConformanceTests({ baseUrl: process.env.EARSHOT_URL ?? '', longPollTimeoutMs: 30000 });
