/**
 * The Mersenne Twister of `mt19937.ts` by the WebAssembly kernel (`kernels/fit/`): the same numbers and samples, in a
 * third of the time.
 */
import { assertInvariant, loadKernel } from '#base';
import { outputCount, type Twister } from './mt19937.ts';

/** The kernel's memory; the same there. */
export const twisterLayout = {
  outputsAt: 16_384, constantsAt: 18_880, blockAt: 18_992, shufflesAt: 19_056, marksAt: 23_152, drawsAt: 88_688,
  sampleAt: 219_792,
} as const;

const pageBytes = 65_536;
/** Items are 16-bit numbers. */
const itemsMax = 65_536;

type Kernel = {
  readonly seed: (seed: number) => void;
  readonly refill: () => void;
  readonly choose: (next: number, count: number, kept: number) => void;
  readonly firstOutputs: (count: number) => void;
};

type Room = { readonly memory: WebAssembly.Memory; readonly kernel: Kernel };
/** Of the last forest, for the next one: new memory for each, and its collection, cost some percent of a fit. */
let spareRoom: Room | undefined;

function takeRoom(): Room {
  const spare = spareRoom;
  spareRoom = undefined;
  if (spare !== undefined) return spare;
  const bytes = twisterLayout.sampleAt + itemsMax * 2;
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) });
  return { memory, kernel: loadKernel<Kernel>(new URL('mt19937-kernel.wasm', import.meta.url), memory) };
}

/** @param count  items of the largest permutation @returns undefined when these are more than the kernel takes */
export function createKernelTwister(count: number): Twister | undefined {
  if (count > itemsMax) return undefined;
  const room = takeRoom();
  const { memory, kernel } = room;
  const sample = new Uint16Array(memory.buffer, twisterLayout.sampleAt, itemsMax);
  const outputs = new Int32Array(memory.buffer, twisterLayout.outputsAt, outputCount);
  return {
    outputs,
    seed: kernel.seed,
    refill: kernel.refill,
    close: () => {
      spareRoom = room;
    },
    firstOutputs: (seeds) => {
      for (let from = 0; from < seeds.length; from += outputCount) {
        const part = seeds.subarray(from, from + outputCount);
        outputs.set(part);
        kernel.firstOutputs(part.length);
        part.set(outputs.subarray(0, part.length));
      }
    },
    choose: (next, itemCount, kept) => {
      assertInvariant(itemCount <= itemsMax && next <= outputCount, 'more items than the kernel has room for');
      kernel.choose(next, itemCount, kept);
      return sample.subarray(0, kept);
    },
  };
}
