/**
 * Collectors over the loopback, both writing to disk: how many records a second of NetFlow v9 (38 records a datagram)
 * each takes without losing one, found by halving, and what a record costs it in CPU time at the same rate. The sender
 * is a process of its own and needs a core.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ours, peers, startContender, type Contender } from './collector-contenders.ts';
import { compareRates, inFolder, median, type Bench, type BenchResult, type Comparison } from './bench.ts';
import { blast } from './export-blaster.ts';

const bench = 'collector';
const recordsPerDatagram = 38;
const trialSeconds = 4;
const port = 29_955;
/** Datagrams a second: where the search begins, and when it is fine enough. */
const startRate = 4_000;
const precision = 1.06;
const runs = 3;
/** All are measured at this rate, where each can: a little below what nfcapd takes. */
const commonRate = 20_000;

export const collectorBench: Bench = {
  name: bench,
  description: 'collectors of NetFlow v9 that write to disk: records a second without loss, CPU time a record',
  run: (say) => inFolder((folder) => run(folder, say)),
};

async function run(folder: string, say: (line: string) => void): Promise<BenchResult> {
  const rows: Comparison[] = [];
  const notes: string[] = [];
  const present = peers.filter(({ missing, name }) => {
    if (missing !== undefined) notes.push(`${name} is not installed: ${missing}`);
    return missing === undefined;
  });
  const bests = new Map<string, number[]>();
  const costs = new Map<string, number[]>();
  for (let i = 0; i < runs; i++) {
    for (const contender of [ours, ...present]) {
      const { name } = contender;
      const best = await findZeroLoss(contender, folder, bests.get(name)?.at(-1) ?? startRate);
      say(`run ${i + 1} of ${runs}: ${name} takes ${format(best * recordsPerDatagram)} records/s without loss`);
      bests.set(name, [...bests.get(name) ?? [], best]);
      const at = await tryRate(contender, folder, Math.min(commonRate, best));
      costs.set(name, [...costs.get(name) ?? [], at.records / at.cpuSeconds]);
    }
  }
  for (const { name } of present) {
    const perSecond = (of: string): number[] => (bests.get(of) ?? []).map((rate) => rate * recordsPerDatagram);
    rows.push(compareRates(bench, name, 'records/s without loss', perSecond(ours.name), perSecond(name)));
    rows.push(compareRates(bench, name, 'records/CPU s', costs.get(ours.name) ?? [], costs.get(name) ?? []));
  }
  for (const [name, perCpuSecond] of costs) {
    const rate = Math.min(commonRate, median(bests.get(name) ?? [])) * recordsPerDatagram;
    notes.push(`${name}: ${Math.round(1e9 / median(perCpuSecond))} ns of CPU time a record, the kernel's part ` +
      `included and the start left out, at ${format(rate)} records/s.`);
  }
  notes.push(`Trials of ${trialSeconds} s, a receive buffer of 4 MiB for each; ours writes Parquet with every column, ` +
    'nfcapd its own format without compression, node-netflowv9 only counts.');
  return { rows, notes };
}

type Trial = { readonly isWhole: boolean; readonly records: number; readonly cpuSeconds: number };

/** One collector for some seconds at a rate. @param datagramsPerSecond  sent evenly */
async function tryRate(contender: Contender, parent: string, datagramsPerSecond: number): Promise<Trial> {
  const folder = mkdtempSync(join(parent, 'trial-'));
  try {
    const running = await startContender(contender, folder, port);
    const sent = await blast({
      port, protocol: 9, datagramsPerSecond, seconds: trialSeconds, recordsPerDatagram, sources: 4,
    });
    const cpuSeconds = running.cpuSeconds();
    const records = await running.end();
    if (records > sent.records) throw new Error(`${contender.name} has ${records} of ${sent.records} records`);
    const isOnTime = sent.datagrams >= 0.98 * datagramsPerSecond * trialSeconds;
    if (!isOnTime && records === sent.records) {
      throw new Error(`the sender is too slow for ${contender.name}: it sent ${sent.datagrams} datagrams`);
    }
    return { isWhole: records === sent.records, records, cpuSeconds };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The highest rate at which nothing is lost, within `precision`. @returns datagrams a second */
async function findZeroLoss(contender: Contender, folder: string, from: number): Promise<number> {
  let good = 0;
  let bad = Infinity;
  for (let rate = from; bad / Math.max(good, 1) > precision;) {
    const { isWhole } = await tryRate(contender, folder, Math.round(rate));
    if (isWhole) good = rate;
    else bad = rate;
    if (good === 0 && bad < 100) return 0;
    rate = bad === Infinity ? good * 1.6 : good === 0 ? bad / 2 : Math.sqrt(good * bad);
  }
  return good;
}

const format = (value: number): string => Math.round(value).toLocaleString('en-US');
