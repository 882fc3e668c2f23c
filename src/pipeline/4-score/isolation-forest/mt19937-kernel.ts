/** The Mersenne Twister of `mt19937.ts` by the WebAssembly kernel (`kernels/fit/`): the same numbers, half the time. */
import { assertInvariant, loadKernel } from '#base';
import { outputCount, type Twister } from './mt19937.ts';

/** The kernel's memory; the same there. */
export const twisterLayout = { outputsAt: 2560, itemsAt: 8192 } as const;

const pageBytes = 65_536;
/** Items are 16-bit numbers. */
const itemsMax = 65_536;

type Kernel = {
  readonly seed: (seed: number) => void;
  readonly refill: () => void;
  readonly shuffle: (next: number, count: number, kept: number) => number;
};

/** @param count  items that are to be shuffled @returns undefined when these are more than the kernel takes */
export function createKernelTwister(count: number): Twister | undefined {
  if (count > itemsMax) return undefined;
  const bytes = twisterLayout.itemsAt + itemsMax * 2;
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) });
  const kernel = loadKernel<Kernel>(new URL('mt19937-kernel.wasm', import.meta.url), memory);
  return {
    outputs: new Int32Array(memory.buffer, twisterLayout.outputsAt, outputCount),
    items: new Uint16Array(memory.buffer, twisterLayout.itemsAt, itemsMax),
    seed: kernel.seed,
    refill: kernel.refill,
    shuffle: (next, shuffled, kept) => {
      assertInvariant(shuffled <= itemsMax && next <= outputCount, 'more items than the kernel has room for');
      return kernel.shuffle(next, shuffled, kept);
    },
  };
}
