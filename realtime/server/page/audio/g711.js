// G.711, the telephone's eight bits: µ-law and A-law to and from 16-bit samples.

function encodeUlaw(sample) {
  const linear = sample >> 2; // 14 bits, as the standard has them.
  const size = Math.min(8158, Math.abs(linear)) + 33;
  const exponent = 31 - Math.clz32(size) - 5;
  const mantissa = (size >> (exponent + 1)) & 0x0f;
  return ((exponent << 4) | mantissa) ^ (linear < 0 ? 0x7f : 0xff);
}

function decodeUlaw(byte) {
  const bits = ~byte & 0xff;
  const size = ((((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84;
  return bits & 0x80 ? -size : size;
}

function encodeAlaw(sample) {
  const sign = sample < 0 ? 0 : 0x80;
  const size = (sample < 0 ? ~sample : sample) >> 3;
  const exponent = Math.max(0, 31 - Math.clz32(size | 1) - 4);
  const mantissa = exponent ? (size >> exponent) & 0x0f : (size >> 1) & 0x0f;
  return (sign | (exponent << 4) | mantissa) ^ 0x55;
}

function decodeAlaw(byte) {
  const bits = byte ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const base = ((bits & 0x0f) << 4) + 8;
  const size = exponent ? (base + 0x100) << (exponent - 1) : base;
  return bits & 0x80 ? size : -size;
}

const table = (decode) => Int16Array.from({ length: 256 }, (_, byte) => decode(byte));

export const LAWS = {
  "audio/pcmu": { encode: encodeUlaw, decoded: table(decodeUlaw) },
  "audio/pcma": { encode: encodeAlaw, decoded: table(decodeAlaw) },
};
