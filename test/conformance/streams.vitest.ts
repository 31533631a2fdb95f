// The public suite of the Durable Streams protocol, as it is published. test/journeys/conformance.test.ts runs it.
import { runConformanceTests } from '@durable-streams/server-conformance-tests';

const { EARSHOT_SUITE_URL: baseUrl, EARSHOT_SUITE_LONG_POLL_MS: longPollTimeoutMs } = process.env;
if (baseUrl === undefined) throw new Error('EARSHOT_SUITE_URL is the address of the server that is tried');

runConformanceTests({ baseUrl, longPollTimeoutMs: Number(longPollTimeoutMs) });
