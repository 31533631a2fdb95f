import { constants, deflateRawSync } from 'node:zlib';

const FIN_TEXT = 0x81;
const RSV1 = 0x40;
const MAX_HEADER_BYTES = 10;
/** Of UTF-8, for one of UTF-16. */
const MAX_BYTES_A_CHARACTER = 3;
/** Texts up to here are written without being measured: room for twice as much is set aside for a moment. */
const MAX_UNMEASURED_CHARACTERS = 4096;

/**
 * Unfragmented, unmasked text frames (RFC 6455 §5.2), one for each text, in one buffer: what a server sends.
 * Made once and written to every reader as it is. Most text has a byte a character: it is written first, and measured by
 * that, which takes half the time of measuring it before.
 */
export function textFrames(texts: readonly string[]): Buffer {
  return unmeasuredFrames(texts) ?? measuredFrames(texts);
}

/** undefined where there is not room enough: for long texts, and many characters of several bytes. */
function unmeasuredFrames(texts: readonly string[]): Buffer | undefined {
  let size = 0;
  let longest = 0;
  for (const { length } of texts) {
    size += MAX_HEADER_BYTES + length;
    if (length > longest) longest = length;
  }
  if (longest > MAX_UNMEASURED_CHARACTERS) return undefined;
  const frames = Buffer.allocUnsafe(size + longest * (MAX_BYTES_A_CHARACTER - 1));
  let at = 0;
  for (const text of texts) {
    if (frames.length - at < MAX_HEADER_BYTES + text.length * MAX_BYTES_A_CHARACTER) return undefined;
    const payload = at + headerBytes(text.length);
    const length = frames.write(text, payload);
    const start = at + headerBytes(length);
    if (start !== payload) frames.copyWithin(start, payload, payload + length);
    at = writeHeader(frames, at, length, FIN_TEXT) + length;
  }
  return frames.subarray(0, at);
}

function measuredFrames(texts: readonly string[]): Buffer {
  const size = texts.reduce((sum, text) => sum + MAX_HEADER_BYTES + Buffer.byteLength(text), 0);
  const frames = Buffer.allocUnsafe(size);
  let at = 0;
  for (const text of texts) {
    at = writeHeader(frames, at, Buffer.byteLength(text), FIN_TEXT);
    at += frames.write(text, at);
  }
  return frames.subarray(0, at);
}

/**
 * A compressed text frame (RFC 7692 §7.2.1). It is readable without the ones before it, so that one frame
 * serves every reader; that holds where `server_no_context_takeover` was agreed on.
 */
export function deflatedFrame(text: string, level: number): Buffer {
  const deflated = deflateRawSync(text, { level, finishFlush: constants.Z_SYNC_FLUSH });
  const payload = deflated.subarray(0, deflated.length - 4); // the tail 00 00 FF FF is left out
  const header = Buffer.allocUnsafe(MAX_HEADER_BYTES);
  const end = writeHeader(header, 0, payload.length, FIN_TEXT | RSV1);
  return Buffer.concat([header.subarray(0, end), payload]);
}

function headerBytes(length: number): number {
  if (length < 126) return 2;
  return length < 65_536 ? 4 : MAX_HEADER_BYTES;
}

/** Gives where the payload follows. */
function writeHeader(frames: Buffer, at: number, length: number, firstByte: number): number {
  frames[at] = firstByte;
  if (length < 126) frames[at + 1] = length;
  else if (length < 65_536) {
    frames[at + 1] = 126;
    frames.writeUInt16BE(length, at + 2);
  } else {
    frames[at + 1] = 127;
    frames.writeBigUInt64BE(BigInt(length), at + 2);
  }
  return at + headerBytes(length);
}
