import { Command } from 'commander';
import { bearerFlags, bearerOf, TOKEN_HELP } from './bearer.js';
import { diagnose } from './doctor/diagnose.js';
import type { Finding } from './doctor/finding.js';
import { textOf } from './doctor/finding.js';
import type { DoctorFlags } from './doctor/target.js';
import { targetFrom } from './doctor/target.js';
import { CommandError } from './failure.js';
import type { Io } from './io.js';
import { print, say } from './io.js';

const HELP = `
Exits with 0 where no check failed, with 1 where one did.
${TOKEN_HELP}

Example:
  $ earshot doctor https://app.example --origin https://app.example`;

/** `earshot doctor <url>`. */
export function doctorCommand(io: Io): Command {
  const command = new Command('doctor')
    .description('looks at a deployment from the outside: what is wrong, and what mends it')
    .argument('<url>', 'the address of the server with its prefix, http(s) or ws(s)')
    .option('--origin <origin>', 'a page of this Origin must be able to connect')
    .option('--path <path>', 'the path of the WebSocket, below the prefix', '/ws')
    .option(
      '--idle-seconds <count>',
      'how long to be silent, 0 for not at all (default: 5 s longer than the pings)',
    )
    .option('--json', 'an array of findings instead of lines')
    .addHelpText('after', HELP);
  return bearerFlags(command).action((url: string, flags: DoctorFlags) => run(io, url, flags));
}

async function run(io: Io, url: string, flags: DoctorFlags): Promise<void> {
  const target = targetFrom(url, flags, await bearerOf(io, flags));
  const findings: Finding[] = [];
  for await (const finding of diagnose(target, (words) => say(io, words))) {
    findings.push(finding);
    if (flags.json !== true) io.stdout(textOf(finding));
  }
  if (flags.json === true) print(io, JSON.stringify(findings, null, 2));
  const failed = findings.filter(({ outcome }) => outcome === 'fail').length;
  if (failed > 0) throw CommandError.notHad(`${failed} of ${findings.length} checks failed`);
}
