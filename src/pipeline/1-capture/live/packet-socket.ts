/**
 * Opens a socket that sees every packet of an interface, with a ring of memory that the kernel fills (packet(7),
 * TPACKET_V3). This alone needs a right, CAP_NET_RAW; what comes back is plain data, so that a process may give up its
 * rights, or become another program with the descriptor still open, before it looks at a packet.
 */
import { EnvironmentError, limits, OperatorError } from '#base';
import { describeUnknownInterface, findInterface, listInterfaces, type InterfaceFacts } from './interfaces.ts';
import { errnoName, loadLibc, type Libc } from './libc.ts';
import {
  attachFilter, bindPacketSocket, captureFilter, ethernetKinds, familyPacket, joinPromiscuous, monitorKinds,
  optionRing, optionVersion, packetLevel, ringVersion3, words,
} from './packet-calls.ts';

export type LiveCaptureOptions = {
  readonly interfaceName: string;
  /** Also frames that are addressed to other machines, as a mirror port needs. */
  readonly isPromiscuous: boolean;
  /** Memory in which the kernel keeps packets until they are read. */
  readonly ringBytes: number;
  /** Bytes kept of a frame, at most; `limits.liveSnapBytesMax` at the most. */
  readonly snapBytes: number;
  /** How long the kernel waits for a block of the ring to fill before it hands on what there is. */
  readonly blockTimeoutMs: number;
};

export const liveCaptureDefaults: Omit<LiveCaptureOptions, 'interfaceName'> = {
  isPromiscuous: false,
  ringBytes: limits.liveRingBytes,
  // The largest packet that IP allows, with its link header.
  snapBytes: 65_600,
  // A reader that is held up for five seconds loses nothing when little comes: 256 blocks, one each time.
  blockTimeoutMs: 20,
};

/** An open packet socket: plain data, good for JSON. Whoever holds it owns the descriptor. */
export type PacketSocketHandle = {
  readonly descriptor: number;
  readonly interfaceName: string;
  /** The kernel's number of the interface when the socket was opened. */
  readonly interfaceIndex: number;
  /** ARPHRD value of the interface. */
  readonly hardwareKind: number;
  /** Frames begin at their network header: the kernel takes link headers off that are not Ethernet's. */
  readonly isCooked: boolean;
  readonly isPromiscuous: boolean;
  /** What the interface can carry in one packet. */
  readonly mtuBytes: number;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly blockTimeoutMs: number;
  readonly snapBytes: number;
};

/** SOCK_RAW, SOCK_DGRAM and SOCK_CLOEXEC. */
const typeRaw = 3;
const typeCooked = 2;
const closeOnExec = 0o2000000;
/** Blocks must be whole pages, of which arm64 has some of 64 KiB. */
const blockBytesMin = 1 << 16;
/** The kernel's unit of bookkeeping; frames of a V3 ring may be larger. */
const frameUnitBytes = 2_048;
/** Bytes of a block that are not a frame's: headers of the block and the frame, and what aligns them. */
const blockOverheadBytes = 256;

/**
 * Opens an interface for capture; packets are kept from now on.
 *
 * @throws OperatorError     `bad-option`: no such interface, one in monitor mode, or a ring too small for the snap
 * length
 * @throws EnvironmentError  `no-capture-right`, `no-native-calls`, or `network`: the kernel refuses for other reasons
 */
export function openPacketSocket(options: LiveCaptureOptions): PacketSocketHandle {
  const { interfaceName, isPromiscuous, snapBytes, blockTimeoutMs } = options;
  const layout = layOutRing(options);
  const libc = loadLibc();
  const first = openSocket(libc, typeRaw, interfaceName);
  let descriptor = first;
  try {
    const facts = findInterface(libc, first, interfaceName);
    if (facts === undefined) {
      throw new OperatorError('bad-option', `${describeUnknownInterface(interfaceName, listInterfaces())}.`);
    }
    refuseMonitor(interfaceName, facts);
    const isCooked = !ethernetKinds.includes(facts.hardwareKind);
    if (isCooked) {
      descriptor = openSocket(libc, typeCooked, interfaceName);
      libc.close(first);
    }
    const refuse = (what: string, result: number): void => {
      if (result < 0) throw refusal(libc, `${what} of ${interfaceName}`);
    };
    const { hardwareKind, index, mtuBytes } = facts;
    refuse('the filter', attachFilter(libc, descriptor, captureFilter(hardwareKind, snapBytes)));
    refuse('the ring\'s version', libc.setsockopt(descriptor, packetLevel, optionVersion, words(ringVersion3), 4));
    const { blockBytes, blockCount } = layout;
    const frameCount = (blockBytes / frameUnitBytes) * blockCount;
    // struct tpacket_req3; the last two ask for nothing.
    const request = words(blockBytes, blockCount, frameUnitBytes, frameCount, blockTimeoutMs, 0, 0);
    refuse(`a ring of ${blockBytes * blockCount} bytes`,
      libc.setsockopt(descriptor, packetLevel, optionRing, request, request.length));
    if (isPromiscuous) refuse('promiscuous mode', joinPromiscuous(libc, descriptor, index));
    // Only now: what came before would not be cut, and not be in the ring.
    refuse('capture', bindPacketSocket(libc, descriptor, index));
    return {
      descriptor, interfaceName, interfaceIndex: index, hardwareKind, isCooked, isPromiscuous, mtuBytes, blockBytes,
      blockCount, blockTimeoutMs, snapBytes,
    };
  } catch (thrown) {
    libc.close(descriptor);
    throw thrown;
  }
}

/** A power of two of bytes a block, and at least two blocks: the kernel fills one while the other is read. */
function layOutRing({ ringBytes, snapBytes, blockTimeoutMs }: LiveCaptureOptions,
): Pick<PacketSocketHandle, 'blockBytes' | 'blockCount'> {
  if (!(Number.isInteger(snapBytes) && snapBytes >= 64 && snapBytes <= limits.liveSnapBytesMax)) {
    throw new OperatorError('bad-option',
      `a snap length of ${snapBytes} bytes is not possible: give 64 to ${limits.liveSnapBytesMax}.`);
  }
  if (!(Number.isInteger(blockTimeoutMs) && blockTimeoutMs >= 1 && blockTimeoutMs <= 1_000)) {
    throw new OperatorError('bad-option', `blocks cannot be waited for ${blockTimeoutMs} ms: give 1 to 1000.`);
  }
  let blockBytes = limits.liveBlockBytes;
  while (blockBytes > blockBytesMin && blockBytes > ringBytes / 4) blockBytes /= 2;
  const blockCount = Math.max(2, Math.floor(ringBytes / blockBytes));
  if (!(ringBytes >= 2 * blockBytesMin && ringBytes <= limits.liveRingBytesMax)) {
    throw new OperatorError('bad-option',
      `a ring of ${ringBytes} bytes is not possible: give ${2 * blockBytesMin} to ${limits.liveRingBytesMax}.`);
  }
  if (snapBytes > blockBytes - blockOverheadBytes) {
    throw new OperatorError('bad-option',
      `frames of ${snapBytes} bytes do not fit into a ring of ${ringBytes}: give a larger ring or a smaller snap ` +
      'length.');
  }
  return { blockBytes, blockCount };
}

function openSocket(libc: Libc, type: number, interfaceName: string): number {
  // Protocol 0: nothing comes before the socket is bound.
  const descriptor = libc.socket(familyPacket, type | closeOnExec, 0);
  if (descriptor >= 0) return descriptor;
  const name = errnoName(libc);
  if (name !== 'EPERM' && name !== 'EACCES') throw refusal(libc, `packets of ${interfaceName}`);
  throw new EnvironmentError('no-capture-right',
    `this process may not see the packets of ${interfaceName}: it needs root or CAP_NET_RAW. Put \`sudo\` in front ` +
    `of the command; or let this Node do it from now on, for everybody who may run it: \`sudo setcap cap_net_raw+ep ` +
    `${process.execPath}\`; or, in a systemd unit, write \`AmbientCapabilities=CAP_NET_RAW\`.`);
}

function refusal(libc: Libc, what: string): EnvironmentError {
  const name = errnoName(libc);
  const hint = name === 'ENOMEM' ? ': there is not enough memory; ask for a smaller ring' : '';
  return new EnvironmentError('network', `the kernel refuses ${what} (${name})${hint}.`);
}

function refuseMonitor(name: string, { hardwareKind }: InterfaceFacts): void {
  if (!monitorKinds.includes(hardwareKind)) return;
  throw new OperatorError('bad-option',
    `${name} is in monitor mode and gives frames of the air, often encrypted: capture on the access point's own ` +
    'interface.');
}
