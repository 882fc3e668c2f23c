/**
 * Collectors over the loopback, both writing to disk: how many records a second of NetFlow v9 (38 records a datagram)
 * each takes without losing one, found by halving, and what a record costs it in CPU time at the same rate. The sender
 * is a process of its own and needs a core.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ours, peers, startContender, type Contender } from './collector-contenders.ts';
import { compareRates, inFolder, median, type Bench, type BenchResult, type Comparison } from './bench.ts';
import { blast, type BlastResult } from './export-blaster.ts';

const bench = 'collector';
const recordsPerDatagram = 38;
const trialSeconds = 4;
/** Before each trial, at a rate that all can take: collectors run for days, and some compile what they run often. */
const warmSeconds = 3;
const warmRate = 20_000;
const port = 29_955;
/** Datagrams a second: where the search begins, and when it is fine enough. */
const startRate = 4_000;
const precision = 1.06;
const runs = 3;
/** CPU time is measured at these, by those who can take them. */
const costRates = [20_000, 100_000] as const;

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
  /** [rate][name]: records a CPU second, of every run. */
  const costs = costRates.map(() => new Map<string, number[]>());
  for (let i = 0; i < runs; i++) {
    for (const contender of [ours, ...present]) {
      const { name } = contender;
      const best = await findZeroLoss(contender, folder, bests.get(name)?.at(-1) ?? startRate);
      say(`run ${i + 1} of ${runs}: ${name} takes ${format(best * recordsPerDatagram)} records/s without loss`);
      bests.set(name, [...bests.get(name) ?? [], best]);
      for (const [at, rate] of costRates.entries()) {
        const { records, cpuSeconds } = await tryRate(contender, folder, rate);
        // Who loses many has another cost than that of taking them.
        if (records < 0.98 * rate * trialSeconds * recordsPerDatagram) continue;
        costs[at]!.set(name, [...costs[at]!.get(name) ?? [], records / cpuSeconds]);
      }
    }
  }
  for (const { name } of present) {
    const perSecond = (of: string): number[] => (bests.get(of) ?? []).map((rate) => rate * recordsPerDatagram);
    rows.push(compareRates(bench, name, 'records/s without loss', perSecond(ours.name), perSecond(name)));
    for (const [at, rate] of costRates.entries()) {
      const [own, theirs] = [costs[at]!.get(ours.name), costs[at]!.get(name)];
      if (own === undefined || theirs === undefined) continue;
      rows.push(compareRates(bench, name, `records/CPU s at ${inMillions(rate)} records/s`, own, theirs));
    }
  }
  for (const [at, rate] of costRates.entries()) {
    for (const [name, perCpuSecond] of costs[at]!) {
      notes.push(`${name}: ${Math.round(1e9 / median(perCpuSecond))} ns of CPU time a record at ` +
        `${inMillions(rate)} records/s, the kernel's part included.`);
    }
  }
  notes.push(`Trials of ${trialSeconds} s after ${warmSeconds} s at a lower rate, a receive buffer of 4 MiB each; ` +
    'ours writes Parquet with every column, nfcapd its own format without compression, node-netflowv9 only counts.');
  return { rows, notes };
}

type Trial = { readonly isWhole: boolean; readonly records: number; readonly cpuSeconds: number };

/** One collector for some seconds at a rate. @param datagramsPerSecond  sent evenly */
async function tryRate(contender: Contender, parent: string, datagramsPerSecond: number): Promise<Trial> {
  const folder = mkdtempSync(join(parent, 'trial-'));
  try {
    const running = await startContender(contender, folder, port);
    const send = (rate: number, seconds: number): Promise<BlastResult> => blast({
      port, protocol: 9, datagramsPerSecond: rate, seconds, recordsPerDatagram, sources: 4,
    });
    const warm = await send(Math.min(warmRate, datagramsPerSecond), warmSeconds);
    const before = running.cpuSeconds();
    const sent = await send(datagramsPerSecond, trialSeconds);
    const cpuSeconds = running.cpuSeconds() - before;
    const records = await running.end() - warm.records;
    if (records > sent.records) throw new Error(`${contender.name} has ${records} of ${sent.records} records`);
    const isOnTime = sent.seconds <= trialSeconds * 1.02;
    if (!isOnTime && records === sent.records) {
      throw new Error(`the sender is too slow for ${contender.name}: it took ${sent.seconds} s`);
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

const inMillions = (rate: number): string => `${(rate * recordsPerDatagram / 1e6).toFixed(2)} M`;

const format = (value: number): string => Math.round(value).toLocaleString('en-US');
