/**
 * Writes a simulated lab to a folder: captures of both sides of its router, the inventory of its devices, and the
 * truth: who was translated to what, and what happened. In bounded memory; the inventory says that it is simulated.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, OperatorError, Random } from '#base';
import { openTarget, type OutputTarget } from '#flow/files';
import { CaptureEncoder, type TimedFrame } from '../pcap-writer.ts';
import { outsideAddress, Router, type PortPolicy, type Translation } from './router.ts';
import { simulateLab, type LabDevice, type LabOptions } from './simulate-lab.ts';

export type LabFolderOptions = LabOptions & {
  readonly portPolicy: PortPolicy;
  /** What the clock of the tap outside is ahead. */
  readonly clockOffsetMs: number;
  /** Is told now and then how much of the lab's time has passed, 0 … 1. */
  readonly tellProgress?: (share: number) => void;
};

export type LabFolder = {
  readonly insidePackets: number;
  readonly outsidePackets: number;
  readonly fileBytes: number;
  readonly translations: number;
  readonly durationS: number;
  readonly devices: readonly LabDevice[];
};

export const labNote = 'Simulated traffic: device models by name, behaviour made up after their type. No evidence ' +
  'about real products.';

const translationColumns = ['device', 'protocol', 'insideAddress', 'insidePort', 'outsideAddress', 'outsidePort',
  'remoteAddress', 'remotePort', 'firstMicroseconds', 'lastMicroseconds'];
const packetsPerTelling = 20_000;

/**
 * Simulates a lab into a folder, which is made if it is not there; files of the same names are replaced.
 *
 * @throws OperatorError  the folder or a file cannot be written, or an option is out of range
 */
export async function writeLabFolder(folder: string, options: LabFolderOptions): Promise<LabFolder> {
  const lab = simulateLab(options);
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new OperatorError('output-unwritable', `cannot make the folder ${folder}: ${describeError(cause)}`, cause);
  });
  const targets: OutputTarget[] = [];
  const open = async (name: string): Promise<OutputTarget> => {
    const target = await openTarget(join(folder, name));
    targets.push(target);
    return target;
  };
  try {
    const inside = new TapFile(await open('inside.pcap'));
    const outside = new TapFile(await open('outside.pcap'));
    const truth = new TranslationFile(await open('truth.csv'));
    const router = new Router({
      policy: options.portPolicy, random: new Random(options.seed ^ 0x0a7), record: (over) => truth.add(over),
      clockOffsetMicroseconds: Math.round(options.clockOffsetMs * 1000),
    });
    const due: TimedFrame[] = [];
    const sendDue = async (): Promise<void> => {
      for (const frame of due) if (outside.add(frame)) await outside.flush();
      due.length = 0;
    };
    for (const packet of lab) {
      if (inside.add(packet)) await inside.flush();
      router.forward(packet, due);
      if (due.length > 0) await sendDue();
      if (inside.packets % packetsPerTelling !== 0) continue;
      await truth.flush();
      options.tellProgress?.((packet.timeMicroseconds - lab.startMicroseconds) / 1e6 / lab.durationS);
    }
    router.end(due);
    await sendDue();
    for (const file of [inside, outside, truth]) await file.end();
    await writeText(await open('inventory.csv'), formatInventory(lab.devices));
    const written = {
      insidePackets: inside.packets, outsidePackets: outside.packets, translations: truth.rows,
      durationS: lab.durationS, devices: lab.devices,
    };
    await writeText(await open('lab.json'), `${JSON.stringify(describeLab(options, written), null, 2)}\n`);
    for (const target of targets) await target.finish();
    return { ...written, fileBytes: targets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0) };
  } catch (thrown) {
    for (const target of targets) await target.abandon();
    throw thrown;
  }
}

function describeLab(options: LabFolderOptions, written: object): object {
  const { seed, days, scale, firmwareChanges = [], portPolicy, clockOffsetMs } = options;
  return {
    note: labNote, isSimulated: true,
    parameters: { seed, days, scale, firmwareChanges, portPolicy, clockOffsetMs, outsideAddress }, ...written,
  };
}

/** Who is who by MAC: addresses change with leases. */
function formatInventory(devices: readonly LabDevice[]): string {
  const rows = devices.map(({ mac, deviceModel, kind, deviceName }) =>
    `inside.pcap,${mac},${deviceModel},${kind},${deviceName}`);
  return `# ${labNote}\ncapture,mac,device_model,kind,device\n${rows.join('\n')}\n`;
}

async function writeText(target: OutputTarget, text: string): Promise<void> {
  await target.write(new TextEncoder().encode(text));
}

/** A capture that is written chunk by chunk. */
class TapFile {
  packets = 0;
  readonly #target: OutputTarget;
  readonly #encoder = new CaptureEncoder({ kind: 'pcap' });
  #full: Uint8Array | undefined = this.#encoder.header;

  constructor(target: OutputTarget) {
    this.#target = target;
  }

  /** Takes a frame. @returns whether `flush` must come before the next */
  add(frame: TimedFrame): boolean {
    this.packets++;
    const full = this.#encoder.add(frame);
    if (full === undefined) return this.#full !== undefined;
    this.#full = this.#full === undefined ? full : Buffer.concat([this.#full, full]);
    return true;
  }

  async flush(): Promise<void> {
    const full = this.#full;
    this.#full = undefined;
    if (full !== undefined) await this.#target.write(full);
  }

  async end(): Promise<void> {
    await this.flush();
    const rest = this.#encoder.end();
    if (rest !== undefined) await this.#target.write(rest);
  }
}

/** Translations in the order in which they ended, as CSV. */
class TranslationFile {
  rows = 0;
  readonly #target: OutputTarget;
  #lines: string[] = [translationColumns.join(',')];

  constructor(target: OutputTarget) {
    this.#target = target;
  }

  add(over: Translation): void {
    this.rows++;
    this.#lines.push([over.deviceName, over.protocol, over.insideAddress, over.insidePort, outsideAddress,
      over.outsidePort, over.remoteAddress, over.remotePort, over.firstMicroseconds, over.lastMicroseconds].join(','));
  }

  async flush(): Promise<void> {
    const lines = this.#lines;
    this.#lines = [];
    if (lines.length > 0) await writeText(this.#target, `${lines.join('\n')}\n`);
  }

  async end(): Promise<void> {
    await this.flush();
  }
}
