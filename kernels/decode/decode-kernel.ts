/**
 * The export decoder's inner loops for WebAssembly (AssemblyScript, 128-bit vectors): the usual fields of records of
 * fixed length into columns, one field over all records, four records at a time. What runs is data: a program of steps
 * that `record-program.ts` writes from a template. The readable kernels (`field-kernels.ts`, `times.ts`) do the same;
 * the tests hold both to the same columns. Nothing here allocates, and no address is computed from the bytes read.
 */

// record-program.ts
const stepBytes: usize = 32;
const opU8: u32 = 1;
const opProtocol: u32 = 2;
const opU16: u32 = 3;
const opU16From1: u32 = 4;
const opU32: u32 = 5;
const opU32From2: u32 = 6;
const opU32From1: u32 = 7;
const opF64From4: u32 = 8;
const opF64From8: u32 = 9;
const opF64From2: u32 = 10;
const opF64From1: u32 = 11;
const opUptime: u32 = 12;
const opIPv4: u32 = 13;
const opIPv6: u32 = 14;
const opMac: u32 = 15;
const opFill8: u32 = 16;
const opFill32: u32 = 17;
const opFill128: u32 = 18;
const opF64From3: u32 = 19;

// Values of the run, written before each call.
const exporterAt: usize = 64;
const domainAt: usize = 80;
const uptimeMsAt: usize = 84;
const unixMsAt: usize = 88;
// The hash of a datagram is put there: two words.
const hashAt: usize = 96;

// datagram-hash.ts
const laneStep: u32 = 0x9e3779b1;
const laneFactor: u32 = 0x85ebca77;
const lowFactor: u32 = 0xc2b2ae3d;
const highFactor: u32 = 0x27d4eb2f;
const blockBytes: usize = 64;

const protocolIcmp: u32 = 1;
const protocolIcmpv6: u32 = 58;

@inline function read16(at: usize): u32 { return <u32>bswap<u16>(load<u16>(at)); }
@inline function read32(at: usize): u32 { return bswap<u32>(load<u32>(at)); }

/** Big-endian words of four records as one vector. */
@inline function gather32(at: usize, stride: usize): v128 {
  let words = v128.load_zero<u32>(at);
  words = v128.load_lane<u32>(at + stride, words, 1);
  words = v128.load_lane<u32>(at + stride * 2, words, 2);
  words = v128.load_lane<u32>(at + stride * 3, words, 3);
  return swap32(words);
}

@inline function swap32(words: v128): v128 {
  return v128.shuffle<u8>(words, words, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

/** The two upper words as the two lower ones. */
@inline function upperHalf(words: v128): v128 {
  return v128.shuffle<u32>(words, words, 2, 3, 2, 3);
}

/**
 * Runs a program over records.
 *
 * @param input    address of the first record
 * @param stride   bytes of a record
 * @param row      row of the batch that the first record becomes
 * @param program  address of the steps, each of `stepBytes`: op, offset in the record, address of the column, a small
 *                 constant, a scale (double)
 * @returns        1 when a record is ICMP's, else 0
 */
export function readRecords(input: usize, stride: usize, count: usize, row: usize, program: usize, steps: u32): u32 {
  let hasIcmp: u32 = 0;
  for (let step: u32 = 0; step < steps; step++, program += stepBytes) {
    const at = input + <usize>load<u32>(program, 4);
    const out = <usize>load<u32>(program, 8);
    switch (load<u32>(program)) {
      case opU8: { readU8(at, stride, count, out + row); break; }
      case opProtocol: { hasIcmp = readProtocol(at, stride, count, out + row); break; }
      case opU16: { readU16(at, stride, count, out + (row << 1)); break; }
      case opU16From1: { readU16From1(at, stride, count, out + (row << 1)); break; }
      case opU32: { readU32(at, stride, count, out + (row << 2)); break; }
      case opU32From2: { readU32From2(at, stride, count, out + (row << 2)); break; }
      case opU32From1: { readU32From1(at, stride, count, out + (row << 2)); break; }
      case opF64From4: { readF64From4(at, stride, count, out + (row << 3), load<f64>(program, 16)); break; }
      case opF64From8: { readF64From8(at, stride, count, out + (row << 3), load<f64>(program, 16)); break; }
      case opF64From3: { readF64From3(at, stride, count, out + (row << 3), load<f64>(program, 16)); break; }
      case opF64From2: { readF64From2(at, stride, count, out + (row << 3), load<f64>(program, 16)); break; }
      case opF64From1: { readF64From1(at, stride, count, out + (row << 3), load<f64>(program, 16)); break; }
      case opUptime: { readUptime(at, stride, count, out + (row << 3)); break; }
      case opIPv4: { readIPv4(at, stride, count, out + (row << 4)); break; }
      case opIPv6: { readIPv6(at, stride, count, out + (row << 4)); break; }
      case opMac: { readMac(at, stride, count, out + (row << 3)); break; }
      case opFill8: { memory.fill(out + row, <u8>load<u32>(program, 12), count); break; }
      case opFill32: { fill32(load<u32>(domainAt), count, out + (row << 2)); break; }
      case opFill128: { fill128(v128.load(exporterAt), count, out + (row << 4)); break; }
      default: unreachable();
    }
  }
  return hasIcmp;
}

/** Four lanes take four words. */
@inline function takeWords(lanes: v128, at: usize): v128 {
  const product = i32x4.mul(v128.xor(lanes, v128.load(at)), i32x4.splat(laneFactor));
  return v128.or(i32x4.shl(product, 13), i32x4.shr_u(product, 19));
}

/** Four of the first lanes' values. */
@inline function startLanes(first: u32): v128 {
  return i32x4.mul(i32x4.add(i32x4.splat(first), i32x4(1, 2, 3, 4)), i32x4.splat(laneStep));
}

/** Hashes a datagram, as datagram-hash.ts does. @param at  followed by `blockBytes` that may be overwritten */
export function hashInput(at: usize, bytes: usize): void {
  let a = startLanes(0);
  let b = startLanes(4);
  let c = startLanes(8);
  let d = startLanes(12);
  const end = at + bytes;
  const zero = i32x4.splat(0);
  v128.store(end, zero);
  v128.store(end, zero, 16);
  v128.store(end, zero, 32);
  v128.store(end, zero, 48);
  for (; at < end; at += blockBytes) {
    a = takeWords(a, at);
    b = takeWords(b, at + 16);
    c = takeWords(c, at + 32);
    d = takeWords(d, at + 48);
  }
  let low = <u32>bytes;
  let high = ~(<u32>bytes);
  for (let i: u32 = 0; i < 4; i++) {
    const lanes = i === 0 ? a : i === 1 ? b : i === 2 ? c : d;
    for (let j: u32 = 0; j < 4; j++) {
      const lane: u32 = j === 0 ? i32x4.extract_lane(lanes, 0) : j === 1 ? i32x4.extract_lane(lanes, 1)
        : j === 2 ? i32x4.extract_lane(lanes, 2) : i32x4.extract_lane(lanes, 3);
      low = rotl<u32>((low ^ lane) * lowFactor, 13);
      high = rotl<u32>((high ^ lane) * highFactor, 13);
    }
  }
  store<u32>(hashAt, low);
  store<u32>(hashAt, high, 4);
}

function readU8(at: usize, stride: usize, count: usize, out: usize): void {
  for (const end = out + count; out < end; out++, at += stride) store<u8>(out, load<u8>(at));
}

function readProtocol(at: usize, stride: usize, count: usize, out: usize): u32 {
  let hasIcmp: u32 = 0;
  for (const end = out + count; out < end; out++, at += stride) {
    const protocol = <u32>load<u8>(at);
    store<u8>(out, protocol);
    hasIcmp |= <u32>(protocol === protocolIcmp) | <u32>(protocol === protocolIcmpv6);
  }
  return hasIcmp;
}

function readU16(at: usize, stride: usize, count: usize, out: usize): void {
  for (const end = out + (count << 1); out < end; out += 2, at += stride) store<u16>(out, <u16>read16(at));
}

function readU16From1(at: usize, stride: usize, count: usize, out: usize): void {
  for (const end = out + (count << 1); out < end; out += 2, at += stride) store<u16>(out, <u16>load<u8>(at));
}

function readU32(at: usize, stride: usize, count: usize, out: usize): void {
  const end = out + (count << 2);
  for (; out + 16 <= end; out += 16, at += stride << 2) v128.store(out, gather32(at, stride));
  for (; out < end; out += 4, at += stride) store<u32>(out, read32(at));
}

function readU32From2(at: usize, stride: usize, count: usize, out: usize): void {
  for (const end = out + (count << 2); out < end; out += 4, at += stride) store<u32>(out, read16(at));
}

function readU32From1(at: usize, stride: usize, count: usize, out: usize): void {
  for (const end = out + (count << 2); out < end; out += 4, at += stride) store<u32>(out, <u32>load<u8>(at));
}

function readF64From4(at: usize, stride: usize, count: usize, out: usize, scale: f64): void {
  const end = out + (count << 3);
  const scales = f64x2.splat(scale);
  for (; out + 32 <= end; out += 32, at += stride << 2) {
    const words = gather32(at, stride);
    v128.store(out, f64x2.mul(f64x2.convert_low_i32x4_u(words), scales));
    v128.store(out, f64x2.mul(f64x2.convert_low_i32x4_u(upperHalf(words)), scales), 16);
  }
  for (; out < end; out += 8, at += stride) store<f64>(out, <f64>read32(at) * scale);
}

function readF64From8(at: usize, stride: usize, count: usize, out: usize, scale: f64): void {
  for (const end = out + (count << 3); out < end; out += 8, at += stride) {
    store<f64>(out, (<f64>read32(at) * 4294967296.0 + <f64>read32(at + 4)) * scale);
  }
}

function readF64From3(at: usize, stride: usize, count: usize, out: usize, scale: f64): void {
  for (const end = out + (count << 3); out < end; out += 8, at += stride) {
    store<f64>(out, <f64>((<u32>load<u8>(at) << 16) | read16(at + 1)) * scale);
  }
}

function readF64From2(at: usize, stride: usize, count: usize, out: usize, scale: f64): void {
  for (const end = out + (count << 3); out < end; out += 8, at += stride) store<f64>(out, <f64>read16(at) * scale);
}

function readF64From1(at: usize, stride: usize, count: usize, out: usize, scale: f64): void {
  for (const end = out + (count << 3); out < end; out += 8, at += stride) {
    store<f64>(out, <f64><u32>load<u8>(at) * scale);
  }
}

/** `placeUptime` of times.ts: the distance to the header's uptime is signed, modulo 2^32. */
function readUptime(at: usize, stride: usize, count: usize, out: usize): void {
  const uptimeMs = load<i32>(uptimeMsAt);
  const unixMs = load<f64>(unixMsAt);
  const end = out + (count << 3);
  const uptimes = i32x4.splat(uptimeMs);
  const unix = f64x2.splat(unixMs);
  for (; out + 32 <= end; out += 32, at += stride << 2) {
    const ages = i32x4.sub(uptimes, gather32(at, stride));
    v128.store(out, f64x2.sub(unix, f64x2.convert_low_i32x4_s(ages)));
    v128.store(out, f64x2.sub(unix, f64x2.convert_low_i32x4_s(upperHalf(ages))), 16);
  }
  for (; out < end; out += 8, at += stride) store<f64>(out, unixMs - <f64>(uptimeMs - <i32>read32(at)));
}

/** As mapped addresses: words 0, 0, 0xffff, address. */
function readIPv4(at: usize, stride: usize, count: usize, out: usize): void {
  const mapped = i32x4(0, 0, 0xffff, 0);
  for (const end = out + (count << 4); out < end; out += 16, at += stride) {
    const word = v128.load_zero<u32>(at);
    v128.store(out, v128.shuffle<u8>(mapped, word, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 19, 18, 17, 16));
  }
}

function readIPv6(at: usize, stride: usize, count: usize, out: usize): void {
  for (const end = out + (count << 4); out < end; out += 16, at += stride) v128.store(out, swap32(v128.load(at)));
}

/** Two words: the upper 16 bits, the lower 32. */
function readMac(at: usize, stride: usize, count: usize, out: usize): void {
  for (const end = out + (count << 3); out < end; out += 8, at += stride) {
    store<u32>(out, read16(at));
    store<u32>(out, read32(at + 2), 4);
  }
}

function fill32(value: u32, count: usize, out: usize): void {
  const end = out + (count << 2);
  const values = i32x4.splat(value);
  for (; out + 16 <= end; out += 16) v128.store(out, values);
  for (; out < end; out += 4) store<u32>(out, value);
}

function fill128(value: v128, count: usize, out: usize): void {
  for (const end = out + (count << 4); out < end; out += 16) v128.store(out, value);
}
