import { constants, deflateRawSync } from 'node:zlib';

const FIN_TEXT = 0x81;
const RSV1 = 0x40;
const MAX_HEADER_BYTES = 10;
/** Of UTF-8, for one of UTF-16. */
const MAX_BYTES_A_CHARACTER = 3;
/** Three times as much is set aside for a moment, out of the pool that small buffers share. */
const MAX_UNMEASURED_CHARACTERS = 1000;

/**
 * Unfragmented, unmasked text frames (RFC 6455 §5.2), one for each text, in one buffer: what a server sends.
 * Made once and written to every reader as it is.
 */
export function textFrames(texts: readonly string[]): Buffer {
  const sizes = texts.map((text) => Buffer.byteLength(text));
  const frames = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + MAX_HEADER_BYTES + size, 0));
  let at = 0;
  for (const [index, text] of texts.entries()) {
    at = writeHeader(frames, at, sizes[index] ?? 0, FIN_TEXT);
    at += frames.write(text, at);
  }
  return frames.subarray(0, at);
}

/** The same of one text. A short one is written first and measured by that: half the time of measuring it before. */
export function textFrame(text: string): Buffer {
  if (text.length > MAX_UNMEASURED_CHARACTERS) return textFrames([text]);
  const frame = Buffer.allocUnsafe(MAX_HEADER_BYTES + text.length * MAX_BYTES_A_CHARACTER);
  const size = frame.write(text, MAX_HEADER_BYTES);
  const start = MAX_HEADER_BYTES - (size < 126 ? 2 : 4);
  writeHeader(frame, start, size, FIN_TEXT);
  return frame.subarray(start, MAX_HEADER_BYTES + size);
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

function writeHeader(frames: Buffer, at: number, length: number, firstByte: number): number {
  let next = frames.writeUInt8(firstByte, at);
  if (length < 126) return frames.writeUInt8(length, next);
  if (length < 65_536) {
    next = frames.writeUInt8(126, next);
    return frames.writeUInt16BE(length, next);
  }
  next = frames.writeUInt8(127, next);
  return frames.writeBigUInt64BE(BigInt(length), next);
}
