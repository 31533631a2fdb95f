// A server of node:http alone, with Earshot on the same port.
// PORT=3000 node docs/examples/bare-http.js
import { createServer } from 'node:http';
import { createApp } from 'earshot';

/** What the server did before, and goes on doing. */
async function handle(request, response) {
  if (request.method === 'POST' && request.url === '/orders') {
    const { offset } = await app.earshot.publish('orders', { state: 'placed' });
    response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ offset }));
    return;
  }
  response.writeHead(request.url === '/' ? 200 : 404).end('mine\n');
}

// Made with its handler: Earshot then takes /ws, /v1/ and the probes, and leaves it every other path.
const server = createServer((request, response) => {
  handle(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
});

const app = await createApp(
  {
    anonymous: true, // anybody may read the orders; nobody but this server may publish them
    channels: { orders: { anonymous: ['subscribe', 'history'], authenticated: [], create: 'server' } },
  },
  { server },
);
await app.earshot.channels.create('orders'); // so that it can be read before the first order

process.once('SIGTERM', async () => {
  // First Earshot: its clients are told when to come back, while the server still answers its probes. A server that
  // waits for its connections would wait for their WebSockets.
  await app.close();
  server.close();
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
