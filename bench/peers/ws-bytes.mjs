// ws, naive, but that it passes on the bytes that came: no text is made for each client.
import { startServer } from '../processes.mjs';

export { talk } from './ws.mjs';
export const title = 'ws, naive, the bytes as they came';
export const start = () => startServer('naive.mjs', ['ws'], { env: { WS_NO_BUFFER_UTIL: '1' } });
