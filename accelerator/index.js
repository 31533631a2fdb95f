'use strict';
/**
 * `send(fds, count, bytes, sent)`: hands `bytes` (Uint8Array) to each of the first `count` descriptors in `fds`
 * (Int32Array) that is not negative, without waiting. `sent` (Int32Array) then has for each how many bytes the socket
 * took, or -errno; -EAGAIN for one that is full, and for a negative descriptor. Throws a TypeError for arguments that
 * don't fit, and nothing else. It can't know whose a descriptor is: that is the caller's affair.
 */
module.exports = require('./accelerator.node');
