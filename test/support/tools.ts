import type { ToolName } from './prerequisites.mjs';
import { advice, findTool, variableOf } from './prerequisites.mjs';

/**
 * The path of a program that the tests need beyond npm. The test run has looked it up already; a file
 * that is run alone looks for it here. A test without its tool fails: it is never skipped.
 */
export function tool(name: ToolName): string {
  const path = process.env[variableOf(name)] ?? findTool(name);
  if (path === undefined) throw new Error(advice([name]));
  return path;
}
