/** NetFlow v9 datagrams of 38 records to columns: records per CPU second against node-netflowv9 on the same bytes. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Bench, type BenchResult, compareRates, inFolder, measureCommand } from './bench.ts';
import { makeDatagrams, recordsPerDatagram } from './make-datagrams.ts';

const runs = 3;
const datagrams = 500;
// Some seconds of work for each, so that start-up does not decide.
const ourRounds = 12_000;
const theirRounds = 300;
const bench = 'decode';
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export const decodeBench: Bench = {
  name: bench,
  description: 'NetFlow v9 datagrams to flow columns: our decoder against node-netflowv9',
  run: (say) => inFolder((folder) => run(join(folder, 'datagrams.bin'), say)),
};

function run(path: string, say: (line: string) => void): BenchResult {
  if (!existsSync(here('peers/node_modules/node-netflowv9'))) {
    return { rows: [], notes: ['node-netflowv9 is not installed: npm ci --prefix bench/peers'] };
  }
  makeDatagrams(path, datagrams);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let i = 0; i < runs; i++) {
    say(`run ${i + 1} of ${runs}`);
    const our = measureCommand('node', [here('decode-ours.ts'), path, String(ourRounds)]);
    const their = measureCommand('node', [here('peers/decode-netflowv9.mjs'), path, String(theirRounds)]);
    checkRecords(our.stdout, ourRounds);
    checkRecords(their.stdout, theirRounds);
    ours.push(datagrams * recordsPerDatagram * ourRounds / our.cpuSeconds);
    theirs.push(datagrams * recordsPerDatagram * theirRounds / their.cpuSeconds);
  }
  return {
    rows: [compareRates(bench, 'node-netflowv9', 'records/CPU s', ours, theirs)],
    notes: [`${datagrams} datagrams of ${recordsPerDatagram} records, ${ourRounds} rounds of ours and ${theirRounds} ` +
      'of theirs; start-up included, both sum up the octets of all records.'],
  };
}

/** Both must have decoded every record. @throws Error  one did not */
function checkRecords(output: string, rounds: number): void {
  const [records] = output.split(' ');
  const expected = datagrams * recordsPerDatagram * rounds;
  if (Number(records) !== expected) throw new Error(`${records} records were decoded, not ${expected}`);
}
