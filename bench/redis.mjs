// `npm run bench:redis`: what more than one node costs and brings, over one Redis, beside socket.io with its Redis adapter.
// See README.md beside this file.
import { measureWorks } from './harness/command.mjs';
import { askRedis, startRedis } from './nodes/redis.mjs';
import { RAISED } from './peers/earshot.mjs';

await measureWorks({
  folder: new URL('nodes/works/', import.meta.url),
  order: ['deliveries', 'channels', 'rates', 'answers', 'appends', 'reconnects', 'waiting', 'caches'],
  out: 'redis.json',
  needsPrograms: true,
  async heading() {
    const redis = await startRedis();
    const info = await askRedis(redis.port, 'INFO', 'server');
    await redis.stop();
    const [, version] = /(?:valkey|redis)_version:(\S+)/.exec(info);
    return (
      `Redis ${version}, one for each contestant, without a disk. ` +
      `Earshot's defaults, but for ${RAISED.join(' ')}: one publisher says here what many users would.`
    );
  },
});
