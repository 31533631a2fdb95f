import { constants, deflateRawSync } from 'node:zlib';

const FIN_TEXT = 0x81;
const RSV1 = 0x40;
const MAX_HEADER_BYTES = 10;

/**
 * Unfragmented, unmasked text frames (RFC 6455 §5.2), one for each text, in one buffer: what a server sends.
 * Made once and written to every reader as it is.
 */
export function textFrames(texts: readonly string[]): Buffer {
  let size = 0;
  for (const text of texts) size += MAX_HEADER_BYTES + Buffer.byteLength(text);
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
