/**
 * Reads frames for tests of the simulator, written apart from it: it shares no code with `sim` and sums checksums
 * another way, so that an error there does not hide itself here.
 */

export type ReadFrame = {
  readonly version: 0 | 4 | 6;
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  /** IP length by the header. */
  readonly octets: number;
  readonly identification: number;
  readonly hops: number;
  readonly classOfService: number;
  /** True for all fragments but the first. */
  readonly isLaterFragment: boolean;
  readonly isFragment: boolean;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  /** Bytes above the transport header. */
  readonly payload: Uint8Array;
  /** Every checksum that the frame has and that can be verified alone is right. */
  readonly isSound: boolean;
};

/** Reads one Ethernet frame; version 0 when it is not IP. */
export function readFrame(frame: Uint8Array): ReadFrame {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const etherType = view.getUint16(12);
  if (etherType === 0x0800) return readIpv4(view);
  if (etherType === 0x86dd) return readIpv6(view);
  return { ...nothing, isSound: etherType === 0x0806 && frame.length === 42 };
}

const nothing: ReadFrame = {
  version: 0, source: '', destination: '', protocol: -1, octets: 0, identification: 0, hops: 0, classOfService: 0,
  isLaterFragment: false, isFragment: false, sourcePort: 0, destinationPort: 0, sequence: 0, acknowledgment: 0,
  flags: 0, payload: new Uint8Array(0), isSound: false,
};

function readIpv4(view: DataView): ReadFrame {
  const headerBytes = (view.getUint8(14) & 15) * 4;
  const octets = view.getUint16(16);
  const fragment = view.getUint16(20);
  const isFragment = (fragment & 0x3fff) !== 0;
  const protocol = view.getUint8(23);
  const pseudo = [...words(view, 26, 34), protocol, octets - headerBytes];
  const above = readTransport(view, protocol, 14 + headerBytes, 14 + octets, isFragment, pseudo);
  return {
    ...nothing,
    version: 4,
    source: [26, 27, 28, 29].map((at) => view.getUint8(at)).join('.'),
    destination: [30, 31, 32, 33].map((at) => view.getUint8(at)).join('.'),
    protocol, octets, isFragment,
    identification: view.getUint16(18),
    isLaterFragment: (fragment & 0x1fff) !== 0,
    hops: view.getUint8(22),
    classOfService: view.getUint8(15),
    ...above,
    isSound: above.isSound && isZeroSum(words(view, 14, 14 + headerBytes)) && 14 + octets <= view.byteLength,
  };
}

function readIpv6(view: DataView): ReadFrame {
  const lengthBytes = view.getUint16(18);
  const protocol = view.getUint8(20);
  const pseudo = [...words(view, 22, 54), protocol, lengthBytes];
  const above = readTransport(view, protocol, 54, 54 + lengthBytes, false, pseudo);
  return {
    ...nothing,
    version: 6,
    source: words(view, 22, 38).map((word) => word.toString(16)).join(':'),
    destination: words(view, 38, 54).map((word) => word.toString(16)).join(':'),
    protocol,
    octets: lengthBytes + 40,
    hops: view.getUint8(21),
    classOfService: (view.getUint16(14) >> 4) & 255,
    ...above,
    isSound: above.isSound && 54 + lengthBytes <= view.byteLength,
  };
}

type Above = Pick<ReadFrame,
  'sourcePort' | 'destinationPort' | 'sequence' | 'acknowledgment' | 'flags' | 'payload' | 'isSound'>;

function readTransport(
  view: DataView, protocol: number, at: number, end: number, isFragment: boolean, pseudo: readonly number[],
): Above {
  const none = { sourcePort: 0, destinationPort: 0, sequence: 0, acknowledgment: 0, flags: 0 };
  const bytes = (from: number): Uint8Array => new Uint8Array(view.buffer, view.byteOffset + from, end - from);
  if (isFragment) return { ...none, payload: bytes(at), isSound: true };
  const own = words(view, at, end);
  if (protocol === 1) return { ...none, payload: bytes(at + 8), isSound: isZeroSum(own) };
  const isSound = isZeroSum([...pseudo, ...own]);
  if (protocol === 58) return { ...none, payload: bytes(at + 8), isSound };
  const ports = { sourcePort: view.getUint16(at), destinationPort: view.getUint16(at + 2) };
  if (protocol === 17) {
    const isWhole = view.getUint16(at + 4) === end - at && view.getUint16(at + 6) !== 0;
    return { ...none, ...ports, payload: bytes(at + 8), isSound: isSound && isWhole };
  }
  return {
    ...ports,
    sequence: view.getUint32(at + 4),
    acknowledgment: view.getUint32(at + 8),
    flags: view.getUint8(at + 13),
    payload: bytes(at + (view.getUint8(at + 12) >> 4) * 4),
    isSound,
  };
}

function words(view: DataView, from: number, end: number): number[] {
  const all: number[] = [];
  for (let at = from; at < end; at += 2) all.push(view.getUint8(at) * 256 + (at + 1 < end ? view.getUint8(at + 1) : 0));
  return all;
}

/** The one's complement sum of sound bytes, their checksum among them, is all ones: a multiple of 65,535. */
function isZeroSum(all: readonly number[]): boolean {
  const sum = all.reduce((total, word) => total + word, 0);
  return sum > 0 && sum % 0xffff === 0;
}

export type ReadDns = {
  readonly id: number;
  readonly isResponse: boolean;
  readonly question: string;
  readonly questionType: number;
  readonly answers: readonly { owner: string; type: number; text: string }[];
};

/** Reads a DNS message, following compression pointers. */
export function readDns(bytes: Uint8Array): ReadDns {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 12;
  let question = '';
  let questionType = 0;
  for (let i = view.getUint16(4); i > 0; i--) {
    [question, at] = readName(bytes, at);
    questionType = view.getUint16(at);
    at += 4;
  }
  const answers: { owner: string; type: number; text: string }[] = [];
  for (let i = view.getUint16(6); i > 0; i--) {
    const [owner, typeAt] = readName(bytes, at);
    const type = view.getUint16(typeAt);
    const lengthBytes = view.getUint16(typeAt + 8);
    const dataAt = typeAt + 10;
    at = dataAt + lengthBytes;
    answers.push({ owner, type, text: readData(bytes, view, type, dataAt, at) });
  }
  if (at !== bytes.length) throw new Error('bytes left over after the DNS message');
  return { id: view.getUint16(0), isResponse: (view.getUint16(2) & 0x8000) !== 0, question, questionType, answers };
}

function readData(bytes: Uint8Array, view: DataView, type: number, at: number, end: number): string {
  if (type === 1) return bytes.subarray(at, end).join('.');
  if (type === 28) return words(view, at, end).map((word) => word.toString(16)).join(':');
  return readName(bytes, at)[0];
}

function readName(bytes: Uint8Array, from: number): [name: string, end: number] {
  const labels: string[] = [];
  let at = from;
  let end = -1;
  for (;;) {
    const length = bytes[at] as number;
    if (length >= 0xc0) {
      if (end < 0) end = at + 2;
      at = ((length & 0x3f) << 8) | (bytes[at + 1] as number);
    } else if (length === 0) {
      return [labels.join('.'), end < 0 ? at + 1 : end];
    } else {
      labels.push(String.fromCharCode(...bytes.subarray(at + 1, at + 1 + length)));
      at += 1 + length;
    }
  }
}
