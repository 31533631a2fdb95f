// Loaded into the server's process beside the server: tells what the process has used, when it is asked.
process.on('message', (asked) => {
  if (asked === 'rss') globalThis.gc?.(); // what is garbage is nobody's
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system, ...process.memoryUsage() });
});
process.channel?.unref(); // it ends when the server does
process.on('disconnect', () => process.exit()); // and at once when nobody measures any more: nobody is left to be told
