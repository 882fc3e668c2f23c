/**
 * Writes the golden cases that `meter-cases.ts` describes into their folders: `node test/golden/make-cases.ts`. It
 * never runs the meter: expected files come from the hand-written flows. Folders that it does not know are left alone.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatExpected } from './frames.ts';
import { meterCases, type GoldenCase } from './meter-cases.ts';

/** The files of a case, by name. */
export function filesOf(golden: GoldenCase): ReadonlyMap<string, Uint8Array> {
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);
  const files = new Map([
    [golden.file, golden.capture], ['expected.csv', text(formatExpected(golden.flows))],
    ['counts.json', text(`${JSON.stringify(golden.counts)}\n`)], ['why.md', text(`${golden.why.join('\n')}\n`)],
  ]);
  if (golden.options !== undefined) files.set('options.json', text(`${JSON.stringify(golden.options)}\n`));
  return files;
}

if (import.meta.main) {
  for (const golden of meterCases) {
    const folder = fileURLToPath(new URL(`meter/${golden.name}/`, import.meta.url));
    mkdirSync(folder, { recursive: true });
    for (const [name, bytes] of filesOf(golden)) writeFileSync(`${folder}${name}`, bytes);
  }
  process.stdout.write(`${meterCases.length} cases written\n`);
}
