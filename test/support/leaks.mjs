// Looks for secrets in logs: thousands of them, in any form that a log may give them, in one pass.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** What is shorter may stand in a log by chance. */
export const MIN_SECRET_LENGTH = 12;

const BASE = 0x01000193;
const POWER = power(BASE, MIN_SECRET_LENGTH);
const SLOTS = 1 << 20;

/** Empties the folders that tests write secrets and logs to. */
export function emptyEvidence(folder) {
  for (const name of ['secrets', 'logs']) {
    rmSync(join(folder, name), { recursive: true, force: true });
    mkdirSync(join(folder, name), { recursive: true });
  }
}

/**
 * What is wrong with the logs of a run: a line for each secret found, and for there being too little to find
 * anything in.
 */
export function searchEvidence(folder, { minSecrets, minLines }) {
  const secrets = filesIn(join(folder, 'secrets')).flatMap(({ bytes }) =>
    bytes
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
  );
  const unique = [...new Set(secrets)];
  const { faults, lines } = findLeaks(unique, filesIn(join(folder, 'logs')));
  if (unique.length < minSecrets) faults.push(`only ${unique.length} secrets were noted, not ${minSecrets}`);
  if (lines < minLines) faults.push(`only ${lines} lines were logged, not ${minLines}`);
  return { faults, secrets: unique.length, lines };
}

/** Searches each log for each secret. */
export function findLeaks(secrets, logs) {
  const index = indexOf(secrets);
  const faults = [];
  let lines = 0;
  for (const { name, bytes } of logs) {
    const found = new Map();
    lines += scan(bytes, index, (secret, at) => {
      if (!found.has(secret)) found.set(secret, at);
    });
    for (const [secret, at] of found) faults.push(describe(name, bytes, secret, at));
  }
  return { faults, lines };
}

/** A text as it may stand in a log: as it is, escaped, encoded, as bytes; of a signed token also the signature alone. */
export function formsOf(secret) {
  const bytes = Buffer.from(secret);
  const [, signature] = /^[\w-]+\.[\w-]+\.([\w-]{32,})$/.exec(secret) ?? [];
  const forms = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret.toWellFormed()),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    bytes.join(','),
    ...(signature === undefined ? [] : [signature]),
  ];
  return [...new Set(forms)];
}

/** The forms by the hash of the bytes that they end with. */
function indexOf(secrets) {
  const byHash = new Map();
  const slots = new Uint8Array(SLOTS);
  for (const secret of secrets) {
    for (const form of formsOf(secret)) {
      const bytes = Buffer.from(form);
      const hash = hashOf(bytes.subarray(-MIN_SECRET_LENGTH));
      slots[slotOf(hash)] = 1;
      byHash.set(hash, [...(byHash.get(hash) ?? []), { secret, bytes }]);
    }
  }
  return { byHash, slots };
}

/** Goes over the bytes once with a rolling hash. Returns the number of lines. */
function scan(bytes, { byHash, slots }, onFound) {
  let hash = 0;
  let lines = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === 10) lines++;
    hash = (Math.imul(hash, BASE) + bytes[at]) | 0;
    if (at >= MIN_SECRET_LENGTH) hash = (hash - Math.imul(bytes[at - MIN_SECRET_LENGTH], POWER)) | 0;
    if (slots[slotOf(hash)] === 0) continue;
    for (const form of byHash.get(hash) ?? []) {
      const from = at + 1 - form.bytes.length;
      if (from >= 0 && form.bytes.equals(bytes.subarray(from, at + 1))) onFound(form.secret, from);
    }
  }
  return lines;
}

function hashOf(bytes) {
  return bytes.reduce((hash, byte) => (Math.imul(hash, BASE) + byte) | 0, 0);
}

function slotOf(hash) {
  return (hash >>> 8) % SLOTS;
}

function power(base, exponent) {
  return exponent === 0 ? 1 : Math.imul(base, power(base, exponent - 1));
}

function describe(name, bytes, secret, at) {
  const begin = bytes.lastIndexOf(10, at - 1) + 1;
  const end = bytes.indexOf(10, at);
  const line = bytes.toString('utf8', begin, end === -1 ? bytes.length : end);
  return `${name} holds the secret ${secret.slice(0, 60)}: ${line.slice(0, 400)}`;
}

function filesIn(folder) {
  return readdirSync(folder).map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}
