// What one writes in an evening, as a server of its own: every message to everybody, at once, as far as memory goes.
import { createServer } from 'node:http';
import fastify from 'fastify';
import { WebSocketServer } from 'ws';

const kinds = {
  /** `ws` alone: what anybody sends goes to all. */
  async ws() {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.on('message', (data) => {
        for (const client of sockets.clients) client.send(data, { binary: false });
      });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server.address().port;
  },

  /** `ws` alone: who says what, as a text for each. */
  async lobby() {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket, { socket: { remoteAddress, remotePort } }) => {
      socket.on('error', () => {});
      socket.on('message', (data) => {
        sockets.clients.forEach((client) => {
          client.send(`${remoteAddress}:${remotePort} -> ${data}`);
        });
      });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server.address().port;
  },

  /** `ws` alone: what one sends goes back to it. */
  async echo() {
    const server = createServer();
    new WebSocketServer({ server }).on('connection', (socket) => {
      socket.on('error', () => {});
      socket.on('message', (data) => socket.send(data, { binary: false }));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server.address().port;
  },

  /** `ws` alone: keeps the last thousand messages, and answers each. */
  async acknowledging() {
    const server = createServer();
    const log = [];
    new WebSocketServer({ server }).on('connection', (socket) => {
      socket.on('error', () => {});
      socket.on('message', (text) => {
        const { id, channel, data } = JSON.parse(String(text));
        log.push({ channel, data });
        if (log.length > 1000) log.shift();
        socket.send(JSON.stringify({ type: 'published', id }));
      });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server.address().port;
  },

  /** Fastify: a list of hijacked replies, and a route that writes to them all. */
  async sse() {
    const app = fastify();
    const replies = new Set();
    app.get('/events', (request, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
      reply.raw.write(': begun\n\n');
      replies.add(reply.raw);
      reply.raw.on('error', () => {});
      request.raw.on('close', () => replies.delete(reply.raw));
    });
    app.post('/publish', (request) => {
      for (const reply of replies) reply.write(`data: ${request.body}\n\n`);
      return '';
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    return app.server.address().port;
  },
};

console.log(`open http://127.0.0.1:${await kinds[process.argv[2]]()}/`);
