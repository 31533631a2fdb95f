import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { eventually } from './app.js';
import { freePort, runProcess } from './spawn.js';
import { tool } from './tools.js';

t.test('process / it ends → its code and all it said', async (t) => {
  const script = 'process.stdin.pipe(process.stdout); console.error("e"); process.exitCode = 3';
  const ended = await runProcess(process.execPath, ['-e', script], { input: 'hä' });
  t.strictSame(ended, { code: 3, signal: null, stdout: 'hä', stderr: 'e\n' });
});

t.test('process / it takes too long → it is killed', async (t) => {
  const args = ['-e', 'setInterval(() => {}, 1000)'];
  t.match(await runProcess(process.execPath, args, { timeoutMs: 50 }), { code: null, signal: 'SIGKILL' });
});

t.test('process / there is no such program → rejects', async (t) => {
  await t.rejects(runProcess('/no/such/program', []), { code: 'ENOENT' });
});

t.test('process / "node" → is the Node that runs this test', async (t) => {
  const { stdout } = await runProcess('node', ['-p', 'process.version']);
  t.equal(stdout.trim(), process.version);
});

t.test('process / a variable that is undefined → is taken away', async (t) => {
  const env = { EARSHOT_A: 'a', PATH: undefined };
  const { stdout } = await runProcess(
    process.execPath,
    ['-p', '[process.env.EARSHOT_A, process.env.PATH].join()'],
    { env },
  );
  t.equal(stdout.trim(), 'a,');
});

t.test('child / whoever has started it is killed → it ends too', async (t) => {
  const parent = fork(fileURLToPath(new URL('abandoner.ts', import.meta.url)));
  t.teardown(() => parent.kill('SIGKILL'));
  const [pid]: number[] = await once(parent, 'message');
  t.ok(pid);
  const runs = () => {
    try {
      return process.kill(pid ?? 0, 0);
    } catch {
      return false;
    }
  };
  t.ok(runs());
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  await eventually('its end', () => !runs());
});

t.test('free port / asked for → nothing listens there', async (t) => {
  const socket = connect(await freePort(), '127.0.0.1');
  const code = await new Promise((resolve) =>
    socket.once('error', (error) => resolve('code' in error && error.code)),
  );
  t.equal(code, 'ECONNREFUSED');
});

t.test('tools / each of them → works', async (t) => {
  t.match(await runProcess(tool('chromium'), ['--version']), { code: 0, stdout: /\d/ });
  t.match(await runProcess(tool('nginx'), ['-v']), { code: 0, stderr: /nginx/ });
  t.match(await runProcess(tool('python'), ['-c', 'import websockets']), { code: 0 });
  t.match(await runProcess(tool('curl'), ['--version']), { code: 0, stdout: /^curl/ });
});
