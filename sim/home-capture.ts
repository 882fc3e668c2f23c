/** Writes the traffic of a simulated home to a capture file, with the truth about it. In bounded memory. */
import type { DeviceTruth } from './device-world.ts';
import { simulateHome, type HomeOptions } from './home.ts';
import { writeCapture, type CaptureFormat } from './pcap-writer.ts';

export type HomeCapture = {
  readonly packets: number;
  readonly fileBytes: number;
  readonly devices: readonly DeviceTruth[];
  readonly homePrefixes: readonly string[];
};

/**
 * Simulates a home into a file.
 *
 * @param path     overwritten
 * @param options  the home, and the file's format (default pcap, microseconds, little-endian)
 * @throws OperatorError  the file cannot be written, or an option is out of range
 */
export async function writeHomeCapture(
  path: string, options: HomeOptions & { readonly format?: CaptureFormat },
): Promise<HomeCapture> {
  const home = simulateHome(options);
  const written = await writeCapture(path, home, options.format ?? { kind: 'pcap' });
  return { ...written, devices: home.devices, homePrefixes: home.homePrefixes };
}
