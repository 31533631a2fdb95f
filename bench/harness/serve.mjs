// A peer as a server of its own: `node serve.mjs <peer> <mode> …` prints where it is.
const [name, ...how] = process.argv.slice(2);
const { serve } = await import(`../peers/${name}.mjs`);
console.log(`open http://127.0.0.1:${await serve(...how)}/`);
