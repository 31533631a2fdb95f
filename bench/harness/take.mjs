// Counts what came on a connection, without looking at what it says: native/take.c in JavaScript.
const MARKER = '|'.charCodeAt(0);
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

/** For a socket: a function that takes bytes and tells how many messages ended in them. */
export const taker = (kind, socket) => ({ w: framesOf, h: answersOf, m: () => markersIn })[kind](socket);

function markersIn(bytes) {
  let found = 0;
  for (let at = bytes.indexOf(MARKER); at !== -1; at = bytes.indexOf(MARKER, at + 1)) found++;
  return found;
}

/** The answer to the upgrade, then frames. */
function framesOf(socket) {
  let rest = Buffer.alloc(0);
  let isUpgraded = false;
  return (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    if (!isUpgraded) {
      const end = rest.indexOf('\r\n\r\n');
      if (end === -1) return 0;
      isUpgraded = true;
      rest = rest.subarray(end + 4);
    }
    let came = 0;
    for (let end = endOfFrame(rest); end <= rest.length; end = endOfFrame(rest)) {
      const opcode = rest[0] & 15;
      if (opcode === 8) throw new Error('the server has closed a connection');
      if (opcode === 9) socket.write(PONG);
      if (opcode < 3) came++;
      rest = rest.subarray(end);
    }
    return came;
  };
}

function endOfFrame(bytes) {
  if (bytes.length < 2) return Number.POSITIVE_INFINITY;
  const length = bytes[1] & 127;
  if (length < 126) return 2 + length;
  if (bytes.length < 10)
    return length === 126 && bytes.length >= 4 ? 4 + bytes.readUInt16BE(2) : Number.POSITIVE_INFINITY;
  return length === 126 ? 4 + bytes.readUInt16BE(2) : 10 + Number(bytes.readBigUInt64BE(2));
}

/** Whole answers of HTTP. */
function answersOf() {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    let came = 0;
    for (let end = endOfAnswer(rest); end <= rest.length; end = endOfAnswer(rest)) {
      came++;
      rest = rest.subarray(end);
    }
    return came;
  };
}

function endOfAnswer(bytes) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return Number.POSITIVE_INFINITY;
  const head = bytes.toString('latin1', 0, end);
  if (!head.startsWith('HTTP/1.1 2')) throw new Error(`answered: ${head}`);
  if (!/transfer-encoding: chunked/i.test(head))
    return end + 4 + Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  const last = bytes.indexOf('0\r\n\r\n', end + 4);
  return last === -1 ? Number.POSITIVE_INFINITY : last + 5;
}
