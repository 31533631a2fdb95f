/** UTF-8 makes at most this many bytes of one unit of a string. */
const MAX_BYTES_A_CHAR = 3;

/** Whether a text fits into a frame. Most are too short to need counting. */
export function fits(text: string, maxFrameBytes: number): boolean {
  if (text.length * MAX_BYTES_A_CHAR <= maxFrameBytes) return true;
  return new TextEncoder().encode(text).length <= maxFrameBytes;
}
