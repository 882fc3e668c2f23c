/**
 * The plan of a template as a program for the kernel (`kernels/decode/`): steps of fixed layout in the decoder's own
 * memory. Data, not code: the kernel runs a closed list of operations. What the kernel does not know stays with the
 * readable reader, field by field.
 */
import type { FlowBatch } from '../flow-batch.ts';
import type { KernelKind } from '#base';
import { KernelMemory } from '../kernel-memory.ts';
import type { ColumnName } from '../schema.ts';
import { type DatagramHash, hashDatagram, hashLayout } from './datagram-hash.ts';
import type { FieldPlan, PlanStep } from './field-plan.ts';

/** Operations of `kernels/decode/decode-kernel.ts`; the numbers are the same there. */
export const operation = {
  opU8: 1, opProtocol: 2, opU16: 3, opU16From1: 4, opU32: 5, opU32From2: 6, opU32From1: 7, opF64From4: 8,
  opF64From8: 9, opF64From2: 10, opF64From1: 11, opUptime: 12, opIPv4: 13, opIPv6: 14, opMac: 15, opFill8: 16,
  opFill32: 17, opFill128: 18, opF64From3: 19,
} as const;

type Operation = keyof typeof operation;

/** Layout of the block that the kernel is given; the same in the kernel. */
export const programLayout = {
  stepBytes: 32, exporterAt: 64, domainAt: 80, uptimeMsAt: 84, unixMsAt: 88, hashAt: 96,
} as const;

const reservedBytes = 128;
/** One step a route of the plan at most, and three that fill. */
const stepsMax = 64;
/** A set has a length of 16 bits (RFC 7011 §3.3.2), and so has a v5 datagram of UDP. */
export const inputBytesMax = 65_536;

/** Steps of a template as the kernel wants them. */
export type RecordProgram = {
  /** Words of all steps, `stepBytes` each. */
  readonly words: Uint32Array;
  readonly stepCount: number;
  /** What the kernel does not read. */
  readonly rest: readonly PlanStep[];
  /** The kernel sets both addresses and their family. */
  readonly isAddressed: boolean;
  /** The kernel reads the protocol, so it tells whether there is ICMP. */
  readonly readsProtocol: boolean;
};

type DecodeKernel = {
  readonly hashInput: (input: number, bytes: number) => void;
  readonly readRecords: (
    input: number, stride: number, count: number, row: number, program: number, steps: number) => number;
};

/** Memory of one decoder: a set's bytes, the program that runs, and the columns of its batch. */
export class DecodeMemory extends KernelMemory<DecodeKernel> {
  readonly input: Uint8Array<ArrayBuffer>;
  readonly #program: Uint32Array;
  readonly #exporter: Uint32Array;
  readonly #domain: Uint32Array;
  readonly #unixMs: Float64Array;
  readonly #hash: Uint32Array;
  #loaded: RecordProgram | undefined;

  /** @param columnBytes  of all columns of the batch together */
  constructor(kind: KernelKind, columnBytes: number) {
    super({
      kind, module: new URL('decode-kernel.wasm', import.meta.url), reservedBytes,
      sizeBytes: columnBytes + inputBytesMax + hashLayout.blockBytes + stepsMax * programLayout.stepBytes + 4096,
    });
    this.input = this.allocate(inputBytesMax + hashLayout.blockBytes);
    this.#hash = new Uint32Array(this.buffer, programLayout.hashAt, 2);
    this.#program = this.words(stepsMax * programLayout.stepBytes / 4);
    this.#exporter = new Uint32Array(this.buffer, programLayout.exporterAt, 4);
    this.#domain = new Uint32Array(this.buffer, programLayout.domainAt, 2);
    this.#unixMs = new Float64Array(this.buffer, programLayout.unixMsAt, 1);
  }

  /** What the next calls of `run` are about. */
  begin(exporter: ArrayLike<number>, domain: number, uptimeMs: number, unixMs: number): void {
    for (let i = 0; i < 4; i++) this.#exporter[i] = exporter[i] as number;
    this.#domain[0] = domain;
    this.#domain[1] = uptimeMs;
    this.#unixMs[0] = unixMs;
  }

  /** Puts a datagram in `input`, as far as it fits there, and does what `hashDatagram` does. */
  hash(bytes: Uint8Array, out: DatagramHash): void {
    if (bytes.length <= inputBytesMax) this.input.set(bytes);
    if (this.kernel === undefined || bytes.length > inputBytesMax) return hashDatagram(bytes, out);
    this.kernel.hashInput(this.input.byteOffset, bytes.length);
    out.low = this.#hash[0] as number;
    out.high = this.#hash[1] as number;
  }

  /**
   * Runs a program over records that lie in `input`.
   *
   * @param at  of the first record in `input`
   * @returns   whether one of them is ICMP's
   */
  run(kernel: DecodeKernel, program: RecordProgram, at: number, stride: number, count: number, row: number): boolean {
    if (this.#loaded !== program) {
      this.#program.set(program.words);
      this.#loaded = program;
    }
    return kernel.readRecords(
      this.input.byteOffset + at, stride, count, row, this.#program.byteOffset, program.stepCount) !== 0;
  }
}

/** The program of a plan whose records have a fixed length. @param batch  lies in the decoder's memory */
export function writeProgram(plan: FieldPlan, batch: FlowBatch): RecordProgram {
  const steps: ProgramStep[] = [];
  const rest: PlanStep[] = [];
  const isAddressed = isWhole(plan);
  const address = (name: ColumnName): number => batch.columns[name].byteOffset;
  for (const step of plan.steps) {
    const op = findOperation(step);
    const target = isAddressed ? addressColumnOf(step) : step.target;
    if (op === undefined || !(target in batch.columns)) rest.push(step);
    else steps.push({ op, offset: step.offset, column: address(target as ColumnName), constant: 0, scale: step.scale });
  }
  const fill = (op: Operation, name: ColumnName, constant = 0): void => {
    steps.push({ op, offset: 0, column: address(name), constant, scale: 1 });
  };
  if (isAddressed) fill('opFill8', 'ipVersion', plan.addresses === 'ipv6' ? 6 : 4);
  fill('opFill32', 'observationDomainId');
  fill('opFill128', 'exporterAddress');
  const readsProtocol = steps.some(({ op }) => op === 'opProtocol');
  return { words: layOut(steps), stepCount: steps.length, rest, isAddressed, readsProtocol };
}

type ProgramStep = { op: Operation; offset: number; column: number; constant: number; scale: number };

/** Records of IPv4 that have both addresses, or of IPv6: nothing is left to be filled in. */
function isWhole({ addresses, targets }: FieldPlan): boolean {
  return addresses === 'ipv6' || (addresses === 'ipv4' && targets.has('sourceIPv4') && targets.has('destinationIPv4'));
}

function addressColumnOf({ target }: PlanStep): PlanStep['target'] {
  if (target === 'sourceIPv4') return 'sourceAddress';
  return target === 'destinationIPv4' ? 'destinationAddress' : target;
}

function findOperation({ kind, target, lengthBytes }: PlanStep): Operation | undefined {
  if (target === 'protocolIdentifier') return lengthBytes === 1 ? 'opProtocol' : undefined;
  if (kind === 'ipv4') return 'opIPv4';
  if (kind === 'ipv6') return 'opIPv6';
  if (kind === 'mac') return 'opMac';
  if (kind === 'uptime') return lengthBytes === 4 ? 'opUptime' : undefined;
  return byLength[`${kind}/${lengthBytes}`];
}

const byLength: Readonly<Record<string, Operation>> = {
  'u8/1': 'opU8', 'u16/1': 'opU16From1', 'u16/2': 'opU16', 'u32/1': 'opU32From1', 'u32/2': 'opU32From2',
  'u32/4': 'opU32', 'f64/1': 'opF64From1', 'f64/2': 'opF64From2', 'f64/3': 'opF64From3', 'f64/4': 'opF64From4',
  'f64/8': 'opF64From8',
};

function layOut(steps: readonly ProgramStep[]): Uint32Array {
  const { stepBytes } = programLayout;
  const words = new Uint32Array(steps.length * stepBytes / 4);
  const scales = new Float64Array(words.buffer);
  steps.forEach(({ op, offset, column, constant, scale }, i) => {
    words.set([operation[op], offset, column, constant], i * stepBytes / 4);
    scales[(i * stepBytes + 16) / 8] = scale;
  });
  return words;
}
