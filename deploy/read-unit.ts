/** What the systemd unit starts the detector with, for tests and benchmarks that start one alike. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const unitPath: string = fileURLToPath(new URL('natlens-detector.service', import.meta.url));

export type UnitStart = {
  readonly nodeOptions: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
};

/** @throws Error  the unit starts something else than Node with the bundle */
export function readUnitStart(): UnitStart {
  const text = readFileSync(unitPath, 'utf8').replaceAll('\\\n', ' ');
  const [, words] = /^ExecStart=\/usr\/bin\/node (.*)\/usr\/lib\/natlens\/natlens-detector\.mjs /m.exec(text) ?? [];
  if (words === undefined) throw new Error(`${unitPath} does not start Node with the bundle`);
  const environment = [...text.matchAll(/^Environment=(.*)$/gm)].flatMap(([, pairs = '']) => pairs.split(/ +/));
  return {
    nodeOptions: words.trim().split(/ +/),
    environment: Object.fromEntries(environment.map((pair) => pair.split('=') as [string, string])),
  };
}
