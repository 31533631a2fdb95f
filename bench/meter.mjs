import cluster from 'node:cluster';

// Loaded into the server's process beside the server: tells what the process has used, when it is asked.
// A worker of that server is not asked.
const answer = (asked) => {
  if (asked === 'rss') globalThis.gc?.(); // what is garbage is nobody's
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system, ...process.memoryUsage() });
};
if (cluster.isPrimary) {
  process.on('message', answer);
  process.channel?.unref(); // it ends when the server does
  process.on('disconnect', () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL');
    process.exit(); // at once when nobody measures any more: nobody is left to be told
  });
}
