/**
 * libndpi through koffi: the functions of ndpi_api.h that detection needs, declared so that a call allocates nothing.
 * Only the child imports this file: a crash in here ends the process that called.
 */
import koffi from 'koffi';
import { assertInvariant, describeError, EnvironmentError } from '#base';

/** Names that the library may be installed under, newest first. */
const sonames = ['libndpi.so.4.2', 'libndpi.so.4', 'libndpi.so'];

/** `sizeof(struct ndpi_flow_struct)` of the versions that were tried. Another size means another layout: refused. */
const knownFlowBytes: ReadonlyMap<string, number> = new Map([['4.2.0', 688]]);

/** Largest number of protocols that `ndpi_get_num_supported_protocols` may report before it is taken to be broken. */
const protocolsMax = 4_096;
/** `NDPI_PROTOCOL_BITMASK` has 16 words of 32 bits in 4.2; a longer mask does no harm. */
const bitmaskBytes = 64;

/**
 * The loaded library with an initialised detection module. Addresses are numbers: they fit in 2^53, and koffi passes an
 * integer in 25 to 45 ns where it would allocate for a pointer.
 */
export type NdpiLibrary = {
  readonly version: string;
  readonly flowBytes: number;
  /** Names by protocol id. */
  readonly protocolNames: readonly string[];
  /**
   * Inspects a packet.
   *
   * @returns master + 65536 · application + 2^32 · category: `ndpi_protocol` as it is returned in a register
   */
  readonly processPacket: (flow: number, packet: number, packetBytes: number, timeMs: number) => number;
  /** What the flow is, guessed from ports and addresses if need be; as `processPacket` returns it. */
  readonly giveUp: (flow: number) => number;
  /** True while more packets could refine a detected protocol. */
  readonly wantsMore: (flow: number) => boolean;
  /** Frees what the library allocated for a flow; the flow's own memory stays the caller's. */
  readonly freeFlowData: (flow: number) => void;
  /** Zeroed memory that lives as long as the process: its address and a view of it. */
  readonly allocate: (bytes: number) => { readonly address: number; readonly view: Uint8Array };
  /** Maps the start of a shared file into memory, for as long as the process lives. */
  readonly mapShared: (descriptor: number, bytes: number) => { readonly address: number; readonly memory: ArrayBuffer };
};

/**
 * Loads libndpi, checks its version and layout, and initialises detection of all protocols.
 *
 * @throws EnvironmentError  `ndpi-absent`, `ndpi-unknown-version`
 * @source ndpi_api.h of nDPI 4.2
 */
export function openNdpi(): NdpiLibrary {
  const library = loadFirst(sonames);
  const version = String(library.func('ndpi_revision', 'str', [])());
  const flowBytes = Number(library.func('ndpi_detection_get_sizeof_ndpi_flow_struct', 'uint32', [])());
  checkVersion(version, flowBytes);
  const detection = initialise(library);
  // The struct {uint16, uint16, int} comes back in one register on every 64-bit ABI, so an integer reads it for free.
  const process = library.func('ndpi_detection_process_packet', 'uint64',
    ['int64', 'int64', 'int64', 'uint16', 'uint64']);
  const giveUp = library.func('ndpi_detection_giveup', 'uint64', ['int64', 'int64', 'uint8', 'int64']);
  const wantsMore = library.func('ndpi_extra_dissection_possible', 'uint8', ['int64', 'int64']);
  const freeFlowData = library.func('ndpi_free_flow_data', 'void', ['int64']);
  const wasGuessed = allocate(8);
  return {
    version,
    flowBytes,
    protocolNames: readProtocolNames(library, detection),
    processPacket: (flow, packet, bytes, timeMs) => process(detection, flow, packet, bytes, timeMs) as number,
    giveUp: (flow) => giveUp(detection, flow, 1, wasGuessed.address) as number,
    wantsMore: (flow) => wantsMore(detection, flow) !== 0,
    freeFlowData: (flow) => freeFlowData(flow),
    allocate,
    mapShared,
  };
}

type Library = ReturnType<typeof koffi.load>;

function loadFirst(names: readonly string[]): Library {
  let cause: unknown;
  for (const name of names) {
    try {
      return koffi.load(name);
    } catch (thrown) {
      cause ??= thrown;
    }
  }
  throw new EnvironmentError('ndpi-absent',
    'libndpi is not installed: apt-get install libndpi4.2, or choose --l7 prefix',
    describeError(cause));
}

/**
 * Refuses a library whose memory layout is not known.
 *
 * @throws EnvironmentError  `ndpi-unknown-version`
 */
export function checkVersion(version: string, flowBytes: number): void {
  const known = knownFlowBytes.get(version);
  if (known === flowBytes) return;
  const found = known === undefined ? `version ${version}`
    : `version ${version} with a flow of ${flowBytes} bytes instead of ${known}`;
  throw new EnvironmentError('ndpi-unknown-version',
    `libndpi ${found} has not been tried with natlens, which knows ${[...knownFlowBytes.keys()].join(', ')}: ` +
    'install that version, or choose --l7 prefix');
}

function initialise(library: Library): number {
  const detection = Number(library.func('ndpi_init_detection_module', 'int64', ['uint32'])(0));
  if (detection === 0) throw new EnvironmentError('ndpi-failed', 'libndpi could not initialise its detection module');
  const everything = new Uint8Array(bitmaskBytes).fill(255);
  library.func('ndpi_set_protocol_detection_bitmask2', 'void', ['int64', 'void *'])(detection, everything);
  library.func('ndpi_finalize_initialization', 'void', ['int64'])(detection);
  return detection;
}

function readProtocolNames(library: Library, detection: number): string[] {
  const count = Number(library.func('ndpi_get_num_supported_protocols', 'uint32', ['int64'])(detection));
  assertInvariant(count > 0 && count <= protocolsMax, `libndpi reports ${count} protocols`);
  const nameOf = library.func('ndpi_get_proto_name', 'str', ['int64', 'uint16']);
  return Array.from({ length: count }, (_, protocol) => String(nameOf(detection, protocol)));
}

function allocate(bytes: number): { address: number; view: Uint8Array } {
  const pointer: unknown = koffi.alloc('uint8', bytes);
  const view = new Uint8Array(koffi.view(pointer, bytes));
  view.fill(0);
  return { address: Number(pointer), view };
}

/** mmap(2). Writable, because the library's promise not to write to packets is not in its types alone. */
function mapShared(descriptor: number, bytes: number): { address: number; memory: ArrayBuffer } {
  const readAndWrite = 1 | 2;
  const shared = 1;
  const map = koffi.load(null).func('mmap', 'int64', ['int64', 'size_t', 'int', 'int', 'int', 'int64']);
  const address = Number(map(0, bytes, readAndWrite, shared, descriptor, 0));
  if (address === -1) throw new EnvironmentError('ndpi-failed',
    'the memory shared with the nDPI child cannot be mapped');
  return { address, memory: koffi.view(BigInt(address), bytes) };
}
