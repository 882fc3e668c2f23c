/**
 * Metering without names: packets per CPU second, ours from the command line to the CSV on disk, against Debian's
 * exporters on the same capture with the same timeouts.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Bench, type BenchResult, compareRates, type Comparison, hasProgram, inFolder, measureCommand,
} from './bench.ts';
import { makeCapture } from './make-capture.ts';

const runs = 3;
const launcher = new URL('../bin/natlens.cjs', import.meta.url).pathname;
const floor = new URL('floor.ts', import.meta.url).pathname;
const unit = 'packets/CPU s';
const bench = 'meter';
/** softflowd's clock follows the capture with -a; without it nothing would expire before the end. */
const softflowdTimeouts =
  ['-a', '-m', '262144', ...['maxlife=120', 'tcp=60', 'tcp.rst=2', 'tcp.fin=2', 'udp=60', 'icmp=60', 'general=60',
    'expint=1']
  .flatMap((timeout) => ['-t', timeout])];

export const meterBench: Bench = {
  name: bench,
  description: 'capture to flow records, no names: natlens flows against softflowd and nfpcapd',
  run: (say) => inFolder((folder) => run(folder, say)),
};

function run(folder: string, say: (line: string) => void): BenchResult {
  say('making the capture: an hour of 16 homes, six times');
  const capture = makeCapture(join(folder, 'homes.pcap'), { homes: 16, seconds: 3_600, repetitions: 6, isCut: true });
  const ours: number[] = [];
  const ourDefault: number[] = [];
  const reading: number[] = [];
  const softflowd: number[] = [];
  const softflowdIdle: number[] = [];
  const nfpcapd: number[] = [];
  const rate = (command: string, argv: readonly string[]): number =>
    capture.packets / measureCommand(command, argv).cpuSeconds;
  for (let i = 0; i < runs; i++) {
    say(`run ${i + 1} of ${runs}`);
    ours.push(rate('node', [launcher, 'flows', capture.path, '-o', join(folder, 'flows.csv'), '--l7', 'none',
      '--keep-duplicates', '-q']));
    ourDefault.push(rate('node', [launcher, 'flows', capture.path, '-o', join(folder, 'flows.csv'), '-q']));
    reading.push(rate('node', [floor, capture.path]));
    if (hasProgram('softflowd')) {
      const argv = ['-r', capture.path, '-n', '127.0.0.1:9', '-v', '9', '-c', 'none', '-d'];
      softflowd.push(rate('softflowd', [...argv, ...softflowdTimeouts]));
      softflowdIdle.push(rate('softflowd', argv));
    }
    if (hasProgram('nfpcapd')) {
      mkdirSync(join(folder, 'nf'), { recursive: true });
      nfpcapd.push(rate('nfpcapd', ['-r', capture.path, '-w', join(folder, 'nf'), '-e', '120,60']));
    }
  }
  const rows: Comparison[] = [];
  if (softflowd.length > 0) {
    rows.push(compareRates(bench, 'softflowd, same timeouts', unit, ours, softflowd));
    rows.push(compareRates(bench, 'softflowd, expiring nothing', unit, ours, softflowdIdle));
  }
  if (nfpcapd.length > 0) rows.push(compareRates(bench, 'nfpcapd', unit, ours, nfpcapd));
  rows.push(compareRates(bench, 'floor: reading and link layer alone', unit, ours, reading));
  rows.push(compareRates(bench, 'ours with copies removed and prefix names', unit, ours, ourDefault));
  return {
    rows,
    notes: [
      `${capture.packets} packets, ${capture.fileBytes} bytes. Ours: start-up, expiry and CSV included, copies kept as the peers keep them.`,
      ...(softflowd.length === 0 ? ['softflowd is not installed: apt-get install softflowd'] : []),
      ...(nfpcapd.length === 0 ? ['nfpcapd is not installed: apt-get install nfdump'] : []),
    ],
  };
}
