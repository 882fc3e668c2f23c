/**
 * `natlens simulate`: writes the traffic of a simulated home to a capture, or a simulated lab or homes to folders. The
 * same seed writes the same bytes.
 */
import type { Command } from 'commander';
import { formatBytes, formatCount, formatDuration, formatTable, OperatorError } from '#base';
import { deviceKinds, writeHomeCapture, type DeviceKind, type HomeCapture } from '#sim';
import { addLabOptions, readLabPlan, runSimulateLab, type LabCommandOptions } from './simulate-lab-run.ts';

type SimulateOptions = LabCommandOptions & {
  readonly seed: number;
  readonly minutes: number;
  readonly devices: readonly DeviceKind[];
  readonly clouds?: boolean;
  readonly json?: boolean;
};

/** A week: longer worlds are better made of several seeds. */
const minutesMax = 7 * 24 * 60;

/** Gives the verb its options and its action. */
export function configureSimulate(command: Command): void {
  command
    .description('Writes what a small simulated home sends and receives to a capture (.pcap or .pcapng). Device ' +
      `kinds: ${deviceKinds.join(', ')}. With --lab: writes the simulated lab, with both sides of its router, an ` +
      'inventory and the truth, to a folder.')
    .argument('[file]', 'capture to write; none with --lab')
    .option('--seed <number>', 'the world; the same seed writes the same bytes', parseSeed, 1)
    .option('--minutes <number>', 'length', parseMinutes, 30)
    .option('--devices <kinds>', 'kinds with commas between, one device each', parseDevices, deviceKinds)
    .option('--clouds', "use real clouds' address ranges for the servers (default: documentation ranges)")
    .option('--json', 'print the truth about the capture as JSON')
    .addHelpText('after', '\nExamples:\n' +
      '  natlens simulate home.pcap --seed 7 --minutes 60 --devices camera,plug,laptop\n' +
      '  natlens simulate --lab simulated --days 10 --scale 0.1\n' +
      '  natlens simulate --lab homes --homes 3 --intruder webcam.Sricam.SP017 --days 1\n');
  addLabOptions(command)
    .action(async (file: string | undefined, options: SimulateOptions, parsed: Command) => {
      const plan = readLabPlan(file, options, (name) => parsed.getOptionValueSource(name) === 'cli');
      if (plan !== undefined) {
        await runSimulateLab(plan, options.json === true);
        return;
      }
      if (file === undefined) {
        throw new OperatorError('bad-option', 'name a capture to write (home.pcap), or a folder with --lab.');
      }
      const capture = await writeHomeCapture(file, {
        seed: options.seed,
        durationS: options.minutes * 60,
        devices: options.devices,
        servers: options.clouds === true ? 'clouds' : 'documentation',
        format: { kind: file.endsWith('.pcapng') ? 'pcapng' : 'pcap' },
      });
      process.stdout.write(options.json === true
        ? `${JSON.stringify({ file, seed: options.seed, ...capture }, null, 2)}\n`
        : `${describeCapture(file, capture)}\n`);
    });
}

/** What a simulated capture holds, for people. */
export function describeCapture(file: string, capture: HomeCapture): string {
  const rows = capture.devices.map((device) => [
    device.deviceName, device.deviceModel, device.ipv4, formatCount(device.outboundPackets + device.inboundPackets),
    formatBytes(device.outboundOctets + device.inboundOctets),
  ]);
  return `${file}: ${formatCount(capture.packets)} packets, ${formatBytes(capture.fileBytes)}\n\n` +
    formatTable(['device', 'device model', 'address', 'packets', 'bytes'], rows);
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (!Number.isInteger(seed)) throw new OperatorError('bad-option', `--seed is a whole number, not '${text}'.`);
  return seed;
}

function parseMinutes(text: string): number {
  const minutes = Number(text);
  if (!(minutes > 0 && minutes <= minutesMax)) {
    throw new OperatorError('bad-option',
      `--minutes is a number above 0 and up to ${minutesMax} (${formatDuration(minutesMax * 60_000)}), not '${text}'.`);
  }
  return minutes;
}

function parseDevices(text: string): DeviceKind[] {
  return text.split(',').map((name) => {
    const kind = deviceKinds.find((known) => known === name.trim());
    if (kind === undefined) throw new OperatorError('bad-option',
      `--devices knows ${deviceKinds.join(', ')}, not '${name}'.`);
    return kind;
  });
}
