export declare const MIN_SECRET_LENGTH: number;

export interface LogFile {
  readonly name: string;
  readonly bytes: Buffer;
}

export declare function emptyEvidence(folder: string): void;

export declare function searchEvidence(
  folder: string,
  floors: { readonly minSecrets: number; readonly minLines: number },
): { readonly faults: string[]; readonly secrets: number; readonly lines: number };

export declare function findLeaks(
  secrets: readonly string[],
  logs: readonly LogFile[],
): { readonly faults: string[]; readonly lines: number };

export declare function formsOf(secret: string): string[];
