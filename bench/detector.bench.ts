/**
 * The detector as it is shipped, one file on Node, with a hundred classifiers and 1,000 flows a second over UDP:
 * memory, processor, and how long a verdict takes from the flow until it is in the state on disk. Beside it
 * scikit-learn, which scores the same flows one by one with a hundred isolation forests. `-- detector --minutes 10` is
 * the long run; `--bundle FILE` measures another bundle.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#base';
import { writeArtifact } from '#classifier/artifact';
import { bundleDetector } from '../deploy/detector-bundle.ts';
import { readUnitStart } from '../deploy/read-unit.ts';
import { type Bench, type BenchResult, compareRates, type Comparison, inFolder } from './bench.ts';
import { DetectorLoad } from './detector-load.ts';
import { classifierCount, makeDetectorWork, type DetectorWork } from './detector-work.ts';
import { ProcessWatch, quantile, readResident, slopeOfLastHalf } from './process-watch.ts';
import { VerdictWatch } from './verdict-watch.ts';

const bench = 'detector';
const flowsPerSecond = 1_000;
const homes = 200;
const probes = 300;
const seed = 1;
const peerFlows = 200;
const peerSeconds = 20;
const minutesDefault = 1;
const readyMs = 20_000;
const mebibyte = 2 ** 20;

export const detectorBench: Bench = {
  name: bench,
  description: 'the detector: memory, processor and verdict latency, beside scikit-learn; -- --minutes N for longer',
  run: (say) => inFolder((folder) => run(folder, say)),
};

async function run(folder: string, say: (line: string) => void): Promise<BenchResult> {
  const minutes = minutesAsked();
  const work = makeDetectorWork(seed, peerFlows, say);
  const other = optionAsked('--bundle');
  const bytes = other === undefined ? (await bundleDetector()).bytes : readFileSync(other);
  writeFileSync(join(folder, 'natlens-detector.mjs'), bytes);
  say(`running the detector for ${minutes} min`);
  const ours = await runDetector(folder, work, minutes);
  const rows: Comparison[] = [];
  const notes = describe(ours, bytes.length);
  const python = ['/usr/bin/python3', 'python3'].find(
    (program) => spawnSync(program, ['-c', 'import sklearn'], { stdio: 'ignore' }).status === 0);
  if (python === undefined) {
    notes.push('scikit-learn is not installed: apt-get install python3-sklearn');
  } else {
    say(`running scikit-learn for ${peerSeconds} s`);
    const theirs = runPeer(python, folder, work);
    const megabytes = (resident: number): number => 1e6 / resident;
    rows.push(compareRates(bench, 'scikit-learn', 'flows/CPU s', [ours.flowsPerCpuSecond],
      [theirs.flowsPerCpuSecond as number]));
    rows.push({ ...compareRates(bench, 'scikit-learn', 'resident MB', [megabytes(ours.residentEnd)],
      [megabytes(theirs.residentBytes as number)]),
      ours: ours.residentEnd / 1e6, theirs: (theirs.residentBytes as number) / 1e6 });
    notes.push(`scikit-learn ${theirs.version} scored ${theirs.flows} flows in ${peerSeconds} s with ` +
      `${classifierCount} forests, one flow after the other, rows encoded beforehand: ` +
      `${((theirs.cpuSecondsPerFlow as number) * 1000).toFixed(0)} ms of one core for each, p99 ` +
      `${(theirs.latencyMsP99 as number).toFixed(0)} ms. ${flowsPerSecond} flows/s would take ` +
      `${((theirs.cpuSecondsPerFlow as number) * flowsPerSecond).toFixed(0)} cores.`);
  }
  return { rows, notes };
}

function optionAsked(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

function minutesAsked(): number {
  const minutes = Number(optionAsked('--minutes') ?? minutesDefault);
  if (!(minutes >= 0.1 && minutes <= 1_440)) throw new Error('--minutes wants a number of minutes from 0.1 to 1440');
  return minutes;
}

type DetectorRun = {
  readonly firstVerdictMs: number;
  readonly cpuShare: number;
  readonly flowsPerCpuSecond: number;
  readonly flows: number;
  readonly residentEnd: number;
  readonly residentMax: number;
  readonly slopePerMinute: number;
  readonly minutes: number;
  readonly latenciesMs: readonly number[];
  readonly probesSent: number;
  readonly homesSeen: number;
};

async function runDetector(folder: string, work: DetectorWork, minutes: number): Promise<DetectorRun> {
  const classifierFolder = join(folder, 'classifiers');
  mkdirSync(classifierFolder);
  for (const [i, classifier] of work.classifiers.entries()) {
    writeFileSync(join(classifierFolder, `${i}.nlc`), writeArtifact(classifier));
  }
  const receiver = await bindSocket();
  const port = await freePort();
  writeFileSync(join(folder, 'detector.toml'), configText({ folder, port, syslogPort: receiver.address().port }));
  const load = await DetectorLoad.open(work.pool, work.probes, { port, flowsPerSecond, homes, seed });
  const startMs = systemClock.monotonicMs();
  const { nodeOptions, environment } = readUnitStart();
  const child = spawn(process.execPath,
    [...nodeOptions, join(folder, 'natlens-detector.mjs'), join(folder, 'detector.toml')],
    { stdio: ['ignore', 'inherit', 'pipe'], env: environment });
  const lines = listen(child);
  let verdicts: VerdictWatch | undefined;
  try {
    await lines.until(/"event":"started"/, readyMs);
    verdicts = new VerdictWatch(join(folder, 'state', 'detector.sqlite'), load);
    await load.sendProbe();
    while (!verdicts.seenMs.has(0)) {
      if (systemClock.monotonicMs() - startMs > readyMs) throw new Error(`no first verdict:\n${lines.text()}`);
      await sleep(1);
    }
    const firstVerdictMs = (verdicts.seenMs.get(0) as number) - startMs;
    const watch = new ProcessWatch(child.pid as number);
    const [cpuBefore, flowsBefore, wallBefore] = [watch.cpuSeconds(), load.flows, systemClock.monotonicMs()];
    await load.run(minutes * 60_000, probes / (minutes * 60));
    const cpuSeconds = watch.cpuSeconds() - cpuBefore;
    const wallSeconds = (systemClock.monotonicMs() - wallBefore) / 1000;
    const residentEnd = readResident(child.pid as number);
    await sleep(2_000);
    watch.end();
    await load.end();
    if (residentEnd === undefined || child.exitCode !== null) throw new Error(`the detector ended:\n${lines.text()}`);
    const flows = load.flows - flowsBefore;
    return {
      firstVerdictMs, flows, residentEnd, minutes, cpuShare: cpuSeconds / wallSeconds,
      flowsPerCpuSecond: flows / cpuSeconds, slopePerMinute: slopeOfLastHalf(watch.memory),
      residentMax: Math.max(...watch.memory.map(({ residentBytes }) => residentBytes)),
      probesSent: load.probeSentMs.length, homesSeen: homes + load.probeSentMs.length,
      // The first one is a start, and told by itself.
      latenciesMs: [...verdicts.seenMs].filter(([probe]) => probe > 0)
        .map(([probe, seenMs]) => seenMs - (load.probeSentMs[probe] as number)),
    };
  } finally {
    verdicts?.end();
    child.kill('SIGTERM');
    receiver.close();
  }
}

function describe(ours: DetectorRun, bundleBytes: number): string[] {
  const { latenciesMs, probesSent, minutes } = ours;
  return [
    `${classifierCount} classifiers (chow-liu-tree, portable, with fingerprints and calibrations), ${homes} homes, ` +
      `${ours.flows.toLocaleString('en-US')} flows in ${minutes} min over UDP; a bundle of ` +
      `${(bundleBytes / 1e6).toFixed(2)} MB on Node ${process.version}.`,
    `Resident: ${(ours.residentEnd / mebibyte).toFixed(1)} MiB at the end, ` +
      `${(ours.residentMax / mebibyte).toFixed(1)} MiB at most; the last half ` +
      `${ours.slopePerMinute < 0 ? 'falls' : 'grows'} by ` +
      `${(Math.abs(ours.slopePerMinute) / mebibyte).toFixed(3)} MiB a minute, with ${ours.homesSeen} homes ` +
      'at the end.',
    `Processor: ${(ours.cpuShare * 100).toFixed(1)} % of one core.`,
    `Verdicts: ${latenciesMs.length} of ${probesSent - 1} probes; from the flow to the verdict on disk p50 ` +
      `${quantile(latenciesMs, 0.5).toFixed(0)} ms, p99 ${quantile(latenciesMs, 0.99).toFixed(0)} ms, at most ` +
      `${Math.max(...latenciesMs).toFixed(0)} ms. From the start of the process to the first: ` +
      `${ours.firstVerdictMs.toFixed(0)} ms.`,
  ];
}

function configText({ folder, port, syslogPort }: { folder: string; port: number; syslogPort: number }): string {
  return `state_folder = "${join(folder, 'state')}"
dry_run = false

[input]
listen = ["udp://127.0.0.1:${port}"]
exporters = ["127.0.0.1"]

[homes]
map = "address"

[classifiers]
folder = "${join(folder, 'classifiers')}"
allow_unfit = true

[notify]
on = true

[rates]
actions_overall = 1000000
overall_window = "1s"

[[syslog]]
name = "bench"
server = "udp://127.0.0.1:${syslogPort}"
rungs = ["notify"]
home_name = true
`;
}

type Numbers = Readonly<Record<string, number | string>>;

function runPeer(python: string, folder: string, work: DetectorWork): Numbers {
  const peerFolder = join(folder, 'peer');
  mkdirSync(peerFolder);
  for (const [i, { training, scored }] of work.peer.entries()) {
    writeFileSync(join(peerFolder, `${i}.train.f32`), training);
    writeFileSync(join(peerFolder, `${i}.scored.f32`), scored);
  }
  writeFileSync(join(peerFolder, 'index.json'), JSON.stringify(work.peer.map(({ columns }) => ({ columns }))));
  const script = fileURLToPath(new URL('peers/detect-sklearn.py', import.meta.url));
  const { status, stdout, stderr } = spawnSync(python, [script, peerFolder, String(peerSeconds)],
    { encoding: 'utf8' });
  if (status !== 0) throw new Error(`detect-sklearn.py ended with ${status}: ${stderr.slice(-2000)}`);
  return JSON.parse(stdout) as Numbers;
}

/** A UDP socket on some port of the loopback. */
async function bindSocket(): Promise<Socket> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve);
  });
  return socket;
}

async function freePort(): Promise<number> {
  const socket = await bindSocket();
  const { port } = socket.address();
  socket.close();
  return port;
}

/** The lines of a process's log, as they come. */
function listen(child: ChildProcess): {
  until: (pattern: RegExp, withinMs: number) => Promise<void>; text: () => string;
} {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (more: string) => {
    text = (text + more).slice(-100_000);
  });
  return {
    text: () => text.slice(-4_000),
    async until(pattern, withinMs) {
      const untilMs = systemClock.monotonicMs() + withinMs;
      while (!pattern.test(text)) {
        if (child.exitCode !== null || systemClock.monotonicMs() > untilMs) {
          throw new Error(`the detector does not get ready:\n${text.slice(-4_000)}`);
        }
        await sleep(1);
      }
    },
  };
}
