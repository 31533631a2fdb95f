import { randomBytes } from 'node:crypto';

/** The opcodes of RFC 6455 §5.2. */
export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A frame as a client would send it, or as none may. */
export interface FrameInit {
  readonly fin?: boolean;
  /** RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv?: number;
  /** Text by default. */
  readonly opcode?: number;
  /** True by default, as RFC 6455 §5.3 wants it of clients. */
  readonly masked?: boolean;
  readonly payload?: string | Uint8Array;
  /** The length that the header claims, where it isn't the payload's. */
  readonly lengthOverride?: number | bigint;
  /** How many bytes the header spends on the length, where it isn't the fewest. */
  readonly lengthBytes?: 1 | 2 | 8;
}

export interface Frame {
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  readonly masked: boolean;
  /** Unmasked. */
  readonly payload: Buffer;
}

export interface ParsedFrames {
  readonly frames: readonly Frame[];
  /** The bytes after the last whole frame. */
  readonly rest: Buffer;
}

/** The bytes of a frame. */
export function frame(init: FrameInit = {}): Buffer {
  const { fin = true, rsv = 0, opcode = OPCODES.text, masked = true } = init;
  const payload = Buffer.from(init.payload ?? '');
  const length = BigInt(init.lengthOverride ?? payload.length);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const { marker, extra } = encodeLength(length, init.lengthBytes ?? fewestBytes(length));
  const header = Buffer.concat([Buffer.from([first, (masked ? 0x80 : 0) | marker]), extra]);
  if (!masked) return Buffer.concat([header, payload]);
  const key = randomBytes(4);
  return Buffer.concat([header, key, mask(payload, key)]);
}

/** The bytes of a close frame; without a code it has no payload. */
export function closeFrame(code?: number, reason = ''): Buffer {
  return frame({ opcode: OPCODES.close, payload: code === undefined ? '' : closePayload(code, reason) });
}

/** The whole frames at the start of `bytes`. */
export function parseFrames(bytes: Buffer): ParsedFrames {
  const frames: Frame[] = [];
  let rest = bytes;
  for (let next = parseFrame(rest); next !== undefined; next = parseFrame(rest)) {
    frames.push(next.frame);
    rest = rest.subarray(next.size);
  }
  return { frames, rest };
}

/** What a close frame says; code 1005 stands for none (RFC 6455 §7.1.5). */
export function closeOf({ payload }: Frame): { readonly code: number; readonly reason: string } {
  if (payload.length < 2) return { code: 1005, reason: '' };
  return { code: payload.readUInt16BE(0), reason: payload.toString('utf8', 2) };
}

function closePayload(code: number, reason: string): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

function fewestBytes(length: bigint): 1 | 2 | 8 {
  if (length < 126n) return 1;
  return length < 65_536n ? 2 : 8;
}

function encodeLength(length: bigint, bytes: 1 | 2 | 8): { readonly marker: number; readonly extra: Buffer } {
  const extra = Buffer.alloc(bytes === 1 ? 0 : bytes);
  if (bytes === 1) return { marker: Number(length), extra };
  if (bytes === 2) extra.writeUInt16BE(Number(length));
  else extra.writeBigUInt64BE(length);
  return { marker: bytes === 2 ? 126 : 127, extra };
}

function mask(payload: Buffer, key: Buffer): Buffer {
  return Buffer.from(payload.map((byte, at) => byte ^ (key[at % 4] ?? 0)));
}

function parseFrame(bytes: Buffer): { readonly frame: Frame; readonly size: number } | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  const masked = (second & 0x80) !== 0;
  const length = decodeLength(bytes, second & 0x7f);
  if (length === undefined) return undefined;
  const start = length.end + (masked ? 4 : 0);
  const size = start + length.value;
  if (bytes.length < size) return undefined;
  const raw = bytes.subarray(start, size);
  const payload = masked ? mask(raw, bytes.subarray(length.end, start)) : raw;
  const frame = { fin: (first & 0x80) !== 0, rsv: (first >> 4) & 7, opcode: first & 15, masked, payload };
  return { frame, size };
}

function decodeLength(bytes: Buffer, marker: number) {
  if (marker < 126) return { value: marker, end: 2 };
  if (marker === 126) return bytes.length < 4 ? undefined : { value: bytes.readUInt16BE(2), end: 4 };
  return bytes.length < 10 ? undefined : { value: Number(bytes.readBigUInt64BE(2)), end: 10 };
}
