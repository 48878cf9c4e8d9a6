// G.711, the telephone's eight bits: µ-law and A-law to and from 16-bit samples.

const BIAS = 0x84;
const CLIP = 32_635;

function encodeUlaw(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  const size = Math.min(CLIP, Math.abs(sample)) + BIAS;
  const exponent = 31 - Math.clz32(size) - 7;
  return ~(sign | (exponent << 4) | ((size >> (exponent + 3)) & 0x0f)) & 0xff;
}

function decodeUlaw(byte) {
  const bits = ~byte & 0xff;
  const size = (((bits & 0x0f) << 3) + BIAS) << ((bits >> 4) & 7);
  return bits & 0x80 ? BIAS - size : size - BIAS;
}

function encodeAlaw(sample) {
  const sign = sample < 0 ? 0 : 0x80;
  const size = Math.min(CLIP, sample < 0 ? ~sample : sample) >> 3;
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
