/** What is wrong with a data folder, in one line for who runs the server. Nothing in the folder was changed. */
export class FolderFault extends Error {
  override readonly name = 'FolderFault';

  constructor(path: string, what: string) {
    super(`the data folder ${path} ${what}`);
  }
}
