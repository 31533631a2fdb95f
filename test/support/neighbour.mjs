// A node of its own process. Its bus is the channel to the process that has started it.
import { createApp } from '../../dist/index.js';

const bus = {
  publish: (text) => void process.send({ text }),
  listen(hear) {
    const take = ({ text }) => hear(text);
    process.on('message', take);
    return () => void process.off('message', take);
  },
};
const token = { secret: process.env.EARSHOT_TOKEN_SECRET };
const app = await createApp({ dev: true, bus, token });
const url = await app.listen({ port: 0, host: '127.0.0.1' });
process.send({ url });
process.once('disconnect', () => process.exit());
