import { Command } from 'commander';
import { settingsFrom } from '../../server/settings/settings.js';
import { dataPath } from '../../server/store.js';
import { backUp } from '../../store/lmdb/folder/backup.js';
import { settingFlags } from '../flags.js';
import type { Io } from '../io.js';
import { print } from '../io.js';

const HELP = `
The server may go on meanwhile. Which folder it is that is copied says "earshot config" (the setting "data"). Takes every
flag of "earshot serve" too. To go back to a copy: stop the server, and start it on the copy or with the copy in place of
the folder.

Example:
  $ earshot backup /backups/earshot-monday --data /srv/earshot/data`;

/** `earshot backup <to>`. */
export function backupCommand(io: Io): Command {
  return settingFlags(new Command('backup'), { hidden: true })
    .description('copies the data folder as it is at this moment')
    .argument('<to>', 'a folder that is empty, or not there')
    .addHelpText('after', HELP)
    .action(async (to: string, flags: Readonly<Record<string, unknown>>) => {
      const { options, unusedData } = await settingsFrom(flags, io.env, io.cwd);
      const path = unusedData?.path ?? dataPath(options); // a folder may outlive the store that it was of
      await backUp(path, to);
      print(io, `${path} is copied to ${to}`);
    });
}
