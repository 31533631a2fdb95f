export type ToolName =
  | 'chromium'
  | 'nginx'
  | 'caddy'
  | 'haproxy'
  | 'compose'
  | 'systemd'
  | 'python'
  | 'curl'
  | 'openssl'
  | 'redis';

/** The path of a tool that works, or undefined. What its variable says goes before what is found. */
export function findTool(name: ToolName): string | undefined;

/** The environment variable that carries the path of a tool to the tests. */
export function variableOf(name: ToolName): string;

/** How to get what is missing, in one line. */
export function advice(names: readonly ToolName[]): string;

/** The variables that tell the tests where their tools are. Throws the advice where some can't be had. */
export function prerequisites(): Record<string, string>;
