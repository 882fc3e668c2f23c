/**
 * Metering with nDPI names: packets per CPU second (parent and child together) against ndpiReader on the same capture.
 */
import { join } from 'node:path';
import { type Bench, type BenchResult, compareRates, hasProgram, inFolder, measureCommand } from './bench.ts';
import { makeCapture } from './make-capture.ts';

const runs = 3;
const launcher = new URL('../bin/natlens.cjs', import.meta.url).pathname;
const bench = 'ndpi';

export const ndpiBench: Bench = {
  name: bench,
  description: 'capture to flow records with nDPI names: natlens flows --l7 ndpi against ndpiReader -q',
  run: (say) => inFolder((folder) => run(folder, say)),
};

function run(folder: string, say: (line: string) => void): BenchResult {
  if (!hasProgram('ndpiReader')) return { rows: [],
    notes: ['ndpiReader is not installed: apt-get install libndpi-bin'] };
  say('making the capture: an hour and a half of 16 homes, frames whole');
  const capture = makeCapture(join(folder, 'homes.pcap'), { homes: 16, seconds: 5_400, repetitions: 1, isCut: false });
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let i = 0; i < runs; i++) {
    say(`run ${i + 1} of ${runs}`);
    ours.push(capture.packets / measureCommand('node',
      [launcher, 'flows', capture.path, '-o', join(folder, 'flows.csv'), '--l7', 'ndpi', '--keep-duplicates',
        '-q']).cpuSeconds);
    theirs.push(capture.packets / measureCommand('ndpiReader', ['-q', '-i', capture.path]).cpuSeconds);
  }
  return {
    rows: [compareRates(bench, 'ndpiReader -q', 'packets/CPU s', ours, theirs)],
    notes: [`${capture.packets} packets, ${capture.fileBytes} bytes; ours with start-up, both processes and CSV.`],
  };
}
