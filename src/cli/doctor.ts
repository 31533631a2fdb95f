import { Command } from 'commander';
import { diagnose } from './doctor/diagnose.js';
import type { Finding } from './doctor/finding.js';
import { textOf } from './doctor/finding.js';
import type { DoctorFlags } from './doctor/target.js';
import { targetFrom, UsageError } from './doctor/target.js';

/** `earshot doctor <url>`. Exits with 0 where no check failed, 1 where one did, 2 where it was called wrongly. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('looks at a deployment from the outside: what is wrong, and what mends it')
    .argument('<url>', 'the address of the server with its prefix, http(s) or ws(s)')
    .option('--origin <origin>', 'a page of this Origin must be able to connect')
    .option('--token <token>', 'the token to come with (env EARSHOT_TOKEN)')
    .option('--token-file <file>', 'a file with the token: a flag can be seen by other users of the machine')
    .option('--path <path>', 'the path of the WebSocket, below the prefix', '/ws')
    .option(
      '--idle-seconds <count>',
      'how long to be silent, 0 for not at all (default: 5 s longer than the pings)',
    )
    .option('--json', 'an array of findings instead of lines')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action((url: string, flags: DoctorFlags) => run(url, flags));
}

async function run(url: string, flags: DoctorFlags): Promise<void> {
  try {
    const target = targetFrom(url, flags, process.env);
    const findings: Finding[] = [];
    for await (const finding of diagnose(target, say)) {
      findings.push(finding);
      if (flags.json !== true) process.stdout.write(textOf(finding));
    }
    if (flags.json === true) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
    process.exitCode = findings.some(({ outcome }) => outcome === 'fail') ? 1 : 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    say(error.message);
    process.exitCode = 2;
  }
}

function say(words: string): void {
  process.stderr.write(`earshot doctor: ${words}\n`);
}
