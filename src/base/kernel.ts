/**
 * Loads the WebAssembly kernels (`kernels/`) that are shipped beside the code that uses them: the one file that `base`
 * and the rooms in the middle read. A kernel is compiled once for a process.
 */
import { readShippedFile } from './shipped-file.ts';

/**
 * Who runs the inner loops: WebAssembly, or the readable code alone (for comparison, and where WebAssembly is not to be
 * had).
 */
export type KernelKind = 'wasm' | 'none';

const compiled = new Map<string, WebAssembly.Module>();

/**
 * A kernel that works in the given memory.
 *
 * @param url  the compiled kernel
 * @template Kernel  the functions that it exports
 */
export function loadKernel<Kernel>(url: URL, memory: WebAssembly.Memory): Kernel {
  const module = compiled.get(url.href) ?? new WebAssembly.Module(readShippedFile(url));
  compiled.set(url.href, module);
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Kernel;
}
