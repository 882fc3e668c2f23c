/** Finds the shared captures that lie beside the project; where they are absent, tests skip and say why. */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const sharedData = fileURLToPath(new URL('../../../shared/data/', import.meta.url));
export const sharedOracle = fileURLToPath(new URL('../../../shared/oracle/', import.meta.url));

/** `false`, or the reason to skip: what is missing among folders of the shared data and programs. */
export function missing(needs: { data?: readonly string[]; programs?: readonly string[] }): string | false {
  for (const folder of needs.data ?? []) {
    if (!existsSync(`${sharedData}${folder}`)) return `the shared data (${folder}) is not beside the project`;
  }
  for (const program of needs.programs ?? []) {
    const { error } = spawnSync(program, ['--version'], { stdio: 'ignore' });
    if (error !== undefined) return `${program} is not installed`;
  }
  return false;
}

/** Paths of captures below a folder of the shared data, sorted. */
export function findCaptures(pattern: string): string[] {
  return globSync(`${sharedData}${pattern}`).filter((path) => /\.(pcap|pcapng|cap)$/.test(path)).sort();
}
