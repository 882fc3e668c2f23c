/**
 * Sends an exact number of frames from an interface at a rate, by `sendmmsg` on a packet socket: a process of its own,
 * because who sends and who is tested must not share a thread. Frame number i is always the same bytes, so that a
 * receiver's list can be held against it. Run by itself it takes a plan as JSON and prints what it sent as JSON.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { assertInvariant, systemClock } from '#base';
import { errnoName, loadLibc } from '#capture/live';

export type BlastPlan = {
  readonly interfaceName: string;
  readonly packets: number;
  /** 0: as fast as it goes. */
  readonly packetsPerSecond: number;
  /** Conversations that frames are dealt to in turn; each has a form of its own, by its number. */
  readonly flows: number;
  /** Bytes of the longest frame. */
  readonly frameBytesMax: number;
  /** Some conversations have one VLAN tag, some two. */
  readonly hasTags: boolean;
};

export type BlastReport = { readonly packets: number; readonly bytes: number; readonly seconds: number };

/** Of a frame: what a frame of 802.3 has at least, without its check sequence. */
const frameBytesMin = 60;
const vlanIdBase = 100;

/** A frame without its number. */
type Template = { readonly bytes: Uint8Array; readonly numberAt: number; readonly vlanId: number };

/** The frames of a plan. */
export class BlastFrames {
  readonly #templates: readonly Template[];

  constructor({ flows, frameBytesMax, hasTags }: Pick<BlastPlan, 'flows' | 'frameBytesMax' | 'hasTags'>) {
    this.#templates = Array.from({ length: flows }, (_, flow) => makeTemplate(flow, frameBytesMax, hasTags));
  }

  /** Writes frame `number` to `target`. @returns its length */
  write(number: number, target: Uint8Array, at: number): number {
    const { bytes, numberAt } = this.#template(number);
    target.set(bytes, at);
    for (let i = 0; i < 4; i++) target[at + numberAt + i] = number >>> (24 - 8 * i);
    return bytes.length;
  }

  /** Bytes of frame `number`, in memory of their own. */
  frame(number: number): Uint8Array {
    const bytes = new Uint8Array(this.#template(number).bytes.length);
    this.write(number, bytes, 0);
    return bytes;
  }

  /** Outermost VLAN of frame `number`, 0 without one. */
  vlanId(number: number): number {
    return this.#template(number).vlanId;
  }

  #template(number: number): Template {
    const template = this.#templates[number % this.#templates.length];
    assertInvariant(template !== undefined, 'a plan has at least one conversation');
    return template;
  }
}

/**
 * Frame of a conversation: UDP or TCP by turns, over IPv6 every fourth, and with tags two of every five. Checksums are
 * right but for UDP over IPv4 and TCP, which have none or a wrong one: the number of the frame is within them.
 */
function makeTemplate(flow: number, frameBytesMax: number, hasTags: boolean): Template {
  const isTcp = flow % 2 === 1;
  const isIPv6 = flow % 4 >= 2;
  const tagCount = hasTags ? [0, 1, 0, 2, 0][flow % 5] as number : 0;
  const vlanId = tagCount === 0 ? 0 : vlanIdBase + flow % 3_000;
  const headerBytes = 14 + 4 * tagCount + (isIPv6 ? 40 : 20) + (isTcp ? 20 : 8);
  const length = Math.max(headerBytes + 4, frameBytesMin + 4 * tagCount,
    Math.min(frameBytesMax, 60 + (flow * 131) % 1_400));
  const bytes = new Uint8Array(length).fill(flow);
  const view = new DataView(bytes.buffer);
  bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
  let at = 12;
  for (let tag = 0; tag < tagCount; tag++) {
    view.setUint16(at, tagCount === 2 && tag === 0 ? 0x88a8 : 0x8100);
    view.setUint16(at + 2, (3 << 13) | (vlanId + tag));
    at += 4;
  }
  view.setUint16(at, isIPv6 ? 0x86dd : 0x0800);
  at += 2;
  const payloadBytes = length - at - (isIPv6 ? 40 : 20);
  if (isIPv6) {
    bytes.fill(0, at, at + 40);
    bytes[at] = 0x60;
    view.setUint16(at + 4, payloadBytes);
    bytes.set([isTcp ? 6 : 17, 64], at + 6);
    bytes.set([0x20, 1, 0x0d, 0xb8, 0, 0, 0, flow >>> 8], at + 8);
    bytes[at + 23] = 1;
    bytes.set([0x20, 1, 0x0d, 0xb8, 0xff], at + 24);
    bytes[at + 39] = 2;
    at += 40;
  } else {
    bytes.fill(0, at, at + 20);
    bytes[at] = 0x45;
    view.setUint16(at + 2, length - at);
    bytes.set([64, isTcp ? 6 : 17], at + 8);
    bytes.set([10, 0, flow >>> 8, 1, 198, 51, 100, 2], at + 12);
    view.setUint16(at + 10, checksum(view, at, 20));
    at += 20;
  }
  view.setUint16(at, 1_024 + flow % 60_000);
  view.setUint16(at + 2, isTcp ? 443 : 53);
  if (isTcp) {
    // Sequence, acknowledgement, offset of 20 bytes, ACK, window.
    bytes.set([0, 0, 0, 0, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0], at + 4);
    return { bytes, numberAt: at + 4, vlanId };
  }
  view.setUint16(at + 4, payloadBytes);
  view.setUint16(at + 6, 0);
  return { bytes, numberAt: at + 8, vlanId };
}

/** RFC 1071. */
function checksum(view: DataView, at: number, bytes: number): number {
  let sum = 0;
  for (let i = 0; i < bytes; i += 2) sum += view.getUint16(at + i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Messages of one call; some may go to a receiver in one turn of the kernel. */
const messagesPerCall = 64;
const frameRoomBytes = 2_048;
/** `struct mmsghdr` and `struct iovec`. */
const messageBytes = 64;
const vectorBytes = 16;
/** AF_PACKET, SOCK_RAW. */
const familyPacket = 17;
const typeRaw = 3;
/** SIOCGIFINDEX. */
const askIndex = 0x8933;

/** Sends a plan's frames. @throws Error  the kernel takes them no more */
export function blast(plan: BlastPlan): BlastReport {
  const libc = loadLibc();
  const frames = new BlastFrames(plan);
  // Protocol 0: this socket receives nothing.
  const socket = libc.socket(familyPacket, typeRaw, 0);
  const request = new Uint8Array(new ArrayBuffer(40));
  request.set(new TextEncoder().encode(plan.interfaceName));
  if (socket < 0 || libc.ioctl(socket, askIndex, request) < 0) throw new Error(errnoName(libc));
  const address = new Uint8Array(new ArrayBuffer(20));
  address[0] = familyPacket;
  address.set(request.subarray(16, 20), 4);
  if (libc.bind(socket, address, address.length) < 0) throw new Error(errnoName(libc));

  const bytes = new Uint8Array(new ArrayBuffer(messagesPerCall * frameRoomBytes));
  const vectors = new BigUint64Array(new ArrayBuffer(messagesPerCall * vectorBytes));
  const messages = new BigUint64Array(new ArrayBuffer(messagesPerCall * messageBytes));
  const [bytesAt, vectorsAt, messagesAt] = [bytes, vectors, messages].map((one) => libc.addressOf(one)) as
    [number, number, number];
  for (let i = 0; i < messagesPerCall; i++) {
    vectors[2 * i] = BigInt(bytesAt + i * frameRoomBytes);
    messages[8 * i + 2] = BigInt(vectorsAt + i * vectorBytes);
    messages[8 * i + 3] = 1n;
  }
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const startMs = systemClock.monotonicMs();
  let sent = 0;
  let sentBytes = 0;
  while (sent < plan.packets) {
    const due = plan.packetsPerSecond === 0 ? plan.packets
      : Math.min(plan.packets, Math.ceil((systemClock.monotonicMs() - startMs) * plan.packetsPerSecond / 1e3));
    const count = Math.min(messagesPerCall, due - sent);
    if (count <= 0) {
      Atomics.wait(pause, 0, 0, 0.5);
      continue;
    }
    for (let i = 0; i < count; i++) {
      vectors[2 * i + 1] = BigInt(frames.write(sent + i, bytes, i * frameRoomBytes));
    }
    const taken = libc.sendmmsg(socket, messagesAt, count, 0);
    if (taken < 0) {
      const name = errnoName(libc);
      if (name !== 'ENOBUFS' && name !== 'EAGAIN' && name !== 'EINTR') throw new Error(`${name} after ${sent} frames`);
      Atomics.wait(pause, 0, 0, 0.5);
      continue;
    }
    // What each took, as the kernel wrote it; and what is only known by its address must be used, or it is collected.
    for (let i = 0; i < taken; i++) sentBytes += Number(messages[8 * i + 7]);
    sent += taken;
  }
  libc.close(socket);
  return { packets: sent, bytes: sentBytes, seconds: (systemClock.monotonicMs() - startMs) / 1e3 };
}

/** Words of a command line that sends a plan. */
export function blastWords(plan: BlastPlan): readonly string[] {
  return [process.execPath, fileURLToPath(import.meta.url), JSON.stringify(plan)];
}

/** Sends a plan from a process of its own, in a network namespace if one is named; what it sent. @throws Error */
export async function blastFrom(plan: BlastPlan, namespace?: string): Promise<BlastReport> {
  const prefix = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace];
  const [program = '', ...rest] = [...prefix, ...blastWords(plan)];
  const child: ChildProcess = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, error] = ['', ''];
  child.stdout?.on('data', (piece: Buffer) => {
    output += piece.toString();
  });
  child.stderr?.on('data', (piece: Buffer) => {
    error += piece.toString();
  });
  const code = await new Promise<number | null>((resolve) => {
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`the packet blaster ended with ${code}: ${error}`);
  return JSON.parse(output) as BlastReport;
}

if (import.meta.main) {
  const report = blast(JSON.parse(process.argv[2] ?? '') as BlastPlan);
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
