import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { runProcess } from './spawn.js';

/** What a Dockerfile comes to where its instructions are carried out in a folder, by the programs of this machine. */
export interface Image {
  /** Its working directory. */
  folder: string;
  env: Readonly<Record<string, string>>;
  user: string;
  command: readonly string[];
}

type Step = (image: Image, text: string, context: string) => void | Promise<void>;

const RUN_TIMEOUT_MS = 100_000;
/** What npm has in its cache is good enough, and a registry that hangs is asked again: the recipe is tried, not the network. */
export const PATIENT_NPM = { npm_config_prefer_offline: 'true', npm_config_fetch_timeout: '15000' } as const;

/** The instructions that can be carried out here. */
const STEPS: Readonly<Record<string, Step>> = {
  FROM: () => {},
  EXPOSE: () => {},
  ENV: (image, pairs) => {
    image.env = { ...image.env, ...Object.fromEntries(pairs.split(' ').map((pair) => pair.split('='))) };
  },
  WORKDIR: (image, path) => {
    image.folder = join(image.folder, path);
    mkdirSync(image.folder, { recursive: true });
  },
  COPY: ({ folder }, names, context) => {
    for (const name of names.split(' ').slice(0, -1)) copyIn(name, context, folder);
  },
  RUN: run,
  USER: (image, name) => {
    image.user = name;
  },
  CMD: (image, list) => {
    image.command = JSON.parse(list);
  },
};

/** What is wrong with a Dockerfile, in the words of a linter. */
export function dockerfileFaults(text: string): readonly string[] {
  return validate(text).map(({ message }) => (typeof message === 'string' ? message : message.value));
}

/** Carries a Dockerfile out below `root`, in its order. `context` is what it copies from; its `.dockerignore` holds. */
export async function build(text: string, context: string, root: string): Promise<Image> {
  const image: Image = { folder: root, env: {}, user: 'root', command: [] };
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    const step = STEPS[instruction.getInstruction()];
    if (step === undefined) throw new Error(`not known here: ${instruction}`);
    await step(image, instruction.getArgumentsContent() ?? '', context);
  }
  return image;
}

/** A `.dockerignore` as understood here leaves everything out, and lets in what it names. */
function copyIn(name: string, context: string, folder: string): void {
  const [all, ...letIn] = readFileSync(join(context, '.dockerignore'), 'utf8').trim().split('\n');
  if (all !== '*' || !letIn.includes(`!${name}`)) throw new Error(`${name} is left out by .dockerignore`);
  cpSync(join(context, name), join(folder, basename(name)));
}

async function run({ folder, env }: Image, command: string): Promise<void> {
  const ours = Object.keys(process.env).filter((name) => name.startsWith('npm_')); // of the npm that runs the tests
  const { code, stdout, stderr } = await runProcess('sh', ['-c', command], {
    cwd: folder,
    env: { ...Object.fromEntries(ours.map((name) => [name, undefined])), ...PATIENT_NPM, ...env },
    timeoutMs: RUN_TIMEOUT_MS,
  });
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${stdout}${stderr}`);
}
