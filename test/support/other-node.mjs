import { dirname } from 'node:path';
import { run } from './process.mjs';

const MAJORS = ['20', '24'];
const MARK = 'node-path:';

/**
 * The Node that this one is not: 24 on 20, else 20. It comes as the npm package `node`, kept in npm's cache
 * after the first time.
 */
export async function otherNode() {
  const major = majorOf(process.version) === MAJORS[0] ? MAJORS[1] : MAJORS[0];
  const script = `console.log('${MARK}' + process.execPath + ' ' + process.version)`;
  const { output } = await run('npx', ['--yes', '--package', `node@${major}`, '--', 'node', '-e', script]);
  const line = output.split('\n').find((text) => text.startsWith(MARK));
  const [path, version] = line?.slice(MARK.length).split(' ') ?? [];
  if (path === undefined || version === undefined || majorOf(version) !== major) {
    throw new Error(`no Node ${major}: \`npx --yes --package node@${major} -- node\` did not give one`, {
      cause: output,
    });
  }
  return { path, version };
}

/** The environment in which `node` is the one at `path`, for whatever a test starts. */
export function environmentOf(path, env = process.env) {
  return { ...env, NODE: path, npm_node_execpath: path, PATH: `${dirname(path)}:${env.PATH}` };
}

function majorOf(version) {
  return version.replace(/^v/, '').split('.')[0];
}
