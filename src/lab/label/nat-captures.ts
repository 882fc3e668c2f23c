/**
 * A NAT for captures: what several devices' captures would have looked like outside one router, with the truth about
 * every binding. One seed, one result. The two taps may have clocks of their own, as real ones do.
 */
import { assertInvariant, Counts, formatIPv4, formatMac, isInPrefix, Random, type Prefix } from '#base';
import { noLinkHeader, PcapChunk, encodePcapHeader, type ByteSource, type PacketBatch } from '#capture';
import { isPrivate } from '#flow';
import type { OutputTarget, TableSink } from '#flow/files';
import { CaptureMerger } from './merge-captures.ts';
import { NatBindings, type NatBinding, type NatPortPolicy } from './nat-bindings.ts';
import { putOutsideLink, NatTranslator } from './nat-translator.ts';

export type NatCaptureOptions = {
  /** IPv4 address of the router outside. */
  readonly routerAddress: number;
  readonly ports: NatPortPolicy;
  readonly seed: number;
  /** Prefixes inside; empty: private addresses. */
  readonly home: readonly Prefix[];
  readonly isAligned: boolean;
  /** The outside clock: what it is ahead of the inside clock, its drift, and the longest stay in the router. */
  readonly offsetMs: number;
  readonly driftPpm: number;
  readonly jitterMs: number;
  /** For tests. */
  readonly bindingsMax?: number;
  readonly fragmentsMax?: number;
};

export type NatOutputs = {
  readonly outside: OutputTarget;
  /** Both sides of the NAT in one clock: the merged captures as they were. */
  readonly inside?: OutputTarget | undefined;
  readonly truth?: TableSink | undefined;
};

export const natTruthColumns = ['firstMilliseconds', 'lastMilliseconds', 'protocolIdentifier', 'routerAddress',
  'routerPort', 'peerAddress', 'peerPort', 'device', 'insideAddress', 'insidePort', 'outPackets', 'inPackets'];

/** As `--json` prints it; documented in docs/commands/lab-nat.md. */
export type NatSummary = {
  readonly captures: readonly { readonly name: string; readonly frames: number }[];
  /** Frames read: outward + inward + sum of `leftOut` + sum of `rejected`. */
  readonly frames: number;
  readonly outward: number;
  readonly inward: number;
  readonly leftOut: Record<string, number>;
  readonly rejected: Record<string, number>;
  readonly bindings: number;
  readonly portCollisions: number;
  readonly bindingsEndedForRoom: number;
  readonly devices: Record<string, number>;
  readonly problems: readonly { readonly input: string; readonly code: string; readonly detail: string }[];
};

const linkBytes = 14;

/**
 * Translates captures. The outputs are neither finished nor abandoned here.
 *
 * @param sources  the captures; stay the caller's
 * @param onPacket called now and then with the packets read so far
 * @throws OperatorError     a source is no capture
 * @throws EnvironmentError  the disk failed
 */
export async function natCaptures(sources: readonly ByteSource[], outputs: NatOutputs, options: NatCaptureOptions,
  onPacket: (packets: number) => void = () => undefined): Promise<NatSummary> {
  return new NatRun(outputs, options).run(sources, onPacket);
}

class NatRun {
  readonly #outputs: NatOutputs;
  readonly #options: NatCaptureOptions;
  readonly #random: Random;
  readonly #bindings: NatBindings;
  readonly #translator: NatTranslator;
  readonly #ended: NatBinding[] = [];
  readonly #devices = new Counts();
  readonly #chunk = new PcapChunk();
  readonly #insideChunk = new PcapChunk();
  readonly #words = new Uint32Array([0, 0, 0xffff, 0]);
  #bindingCount = 0;
  #originMicroseconds = NaN;
  #lastMicroseconds = -Infinity;

  constructor(outputs: NatOutputs, options: NatCaptureOptions) {
    this.#outputs = outputs;
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#bindings = new NatBindings(options.ports, this.#random.fork(), (binding) => void this.#ended.push(binding),
      options.bindingsMax);
    this.#translator = new NatTranslator(this.#bindings, {
      routerAddress: options.routerAddress, isInside: (address) => this.#isInside(address),
      ...(options.fragmentsMax === undefined ? {} : { fragmentsMax: options.fragmentsMax }),
    });
  }

  async run(sources: readonly ByteSource[], onPacket: (packets: number) => void): Promise<NatSummary> {
    const merger = new CaptureMerger(sources, this.#options);
    await this.#outputs.outside.write(encodePcapHeader());
    await this.#outputs.inside?.write(encodePcapHeader());
    let packetCount = 0;
    for await (const { batch, rowIndex, captureIndex, timeMicroseconds } of merger.packets()) {
      if (this.#outputs.inside !== undefined) await this.#writeInside(batch, rowIndex, timeMicroseconds);
      await this.#translate(batch, rowIndex, timeMicroseconds, captureIndex);
      if (this.#ended.length > 0) await this.#writeTruth();
      if ((++packetCount & 1_023) === 0) onPacket(packetCount);
    }
    this.#bindings.end();
    await this.#writeTruth();
    await this.#outputs.outside.write(this.#chunk.take());
    await this.#outputs.inside?.write(this.#insideChunk.take());
    return this.#summarise(sources, merger, packetCount);
  }

  async #translate(batch: PacketBatch, rowIndex: number, timeMicroseconds: number, captureIndex: number,
  ): Promise<void> {
    const { leftOut } = this.#translator;
    if (batch.ipVersion[rowIndex] !== 4) {
      leftOut.add('ipv6');
      return;
    }
    const at = batch.networkOffset[rowIndex] as number;
    const capturedBytes = batch.networkBytes[rowIndex] as number;
    const totalBytes = capturedBytes < 4 ? capturedBytes
      : ((batch.data[at + 2] as number) << 8) | (batch.data[at + 3] as number);
    // Behind the packet's own length there is padding; a packet of segments put together has no length (0).
    const packetBytes = totalBytes === 0 ? capturedBytes : Math.min(capturedBytes, totalBytes);
    const frame = new Uint8Array(linkBytes + packetBytes);
    frame.set(batch.data.subarray(at, at + packetBytes), linkBytes);
    const link = batch.linkOffset[rowIndex] as number;
    const direction = this.#translator.translate({
      bytes: frame.subarray(linkBytes), timeMicroseconds,
      nameDevice: (address, isOutward) => link === noLinkHeader ? `${captureIndex}:${formatIPv4(address)}`
        : formatMac(readMac(batch.data, link + (isOutward ? 6 : 0)), 0),
    });
    if (direction === undefined) return;
    const isOutward = direction === 'outward';
    putOutsideLink(frame, isOutward);
    if (this.#chunk.isFull(frame.length)) await this.#outputs.outside.write(this.#chunk.take());
    this.#chunk.add({ timeMicroseconds: this.#placeOutside(timeMicroseconds), frame,
      wireBytes: linkBytes + Math.max(totalBytes, packetBytes) });
  }

  async #writeInside(batch: PacketBatch, rowIndex: number, timeMicroseconds: number): Promise<void> {
    const at = batch.networkOffset[rowIndex] as number;
    const packetBytes = batch.networkBytes[rowIndex] as number;
    const link = batch.linkOffset[rowIndex] as number;
    const frame = new Uint8Array(linkBytes + packetBytes);
    if (link !== noLinkHeader) frame.set(batch.data.subarray(link, link + 12));
    frame.set(batch.ipVersion[rowIndex] === 4 ? [0x08, 0x00] : [0x86, 0xdd], 12);
    frame.set(batch.data.subarray(at, at + packetBytes), linkBytes);
    if (this.#insideChunk.isFull(frame.length)) await this.#outputs.inside?.write(this.#insideChunk.take());
    const totalBytes = packetBytes < 6 ? 0 : batch.ipVersion[rowIndex] === 4
      ? ((batch.data[at + 2] as number) << 8) | (batch.data[at + 3] as number)
      : 40 + (((batch.data[at + 4] as number) << 8) | (batch.data[at + 5] as number));
    this.#insideChunk.add({ timeMicroseconds, frame, wireBytes: linkBytes + Math.max(totalBytes, packetBytes) });
  }

  /** The outside clock's time of a packet; the router hands on in the order in which it was given. */
  #placeOutside(timeMicroseconds: number): number {
    const { offsetMs, driftPpm, jitterMs } = this.#options;
    if (Number.isNaN(this.#originMicroseconds)) this.#originMicroseconds = timeMicroseconds;
    const stayMicroseconds = this.#random.uniform() * jitterMs * 1_000;
    this.#lastMicroseconds = Math.max(this.#lastMicroseconds, timeMicroseconds + stayMicroseconds);
    const sinceOrigin = this.#lastMicroseconds - this.#originMicroseconds;
    return Math.floor(this.#lastMicroseconds + offsetMs * 1_000 + sinceOrigin * driftPpm / 1e6);
  }

  #isInside(address: number): boolean {
    this.#words[3] = address;
    const { home } = this.#options;
    return home.length > 0 ? home.some((prefix) => isInPrefix(this.#words, 0, prefix)) : isPrivate(this.#words, 0);
  }

  /** Ended bindings, in the time of the inside clock. */
  async #writeTruth(): Promise<void> {
    for (const binding of this.#ended) {
      this.#bindingCount++;
      this.#devices.add(binding.device, binding.outPackets + binding.inPackets);
      const busy = this.#outputs.truth?.write([binding.firstMicroseconds / 1_000, binding.lastMicroseconds / 1_000,
        binding.protocol, formatIPv4(this.#options.routerAddress), binding.routerPort, formatIPv4(binding.peerAddress),
        binding.peerPort, binding.device, formatIPv4(binding.insideAddress), binding.insidePort, binding.outPackets,
        binding.inPackets]);
      if (busy !== undefined) await busy;
    }
    this.#ended.length = 0;
  }

  #summarise(sources: readonly ByteSource[], merger: CaptureMerger, packetCount: number): NatSummary {
    const rejected = new Counts();
    for (const reading of merger.readings) rejected.merge(reading.rejected);
    const { outward, inward, leftOut } = this.#translator;
    const frames = merger.readings.reduce((sum, reading) => sum + reading.frames, 0);
    assertInvariant(packetCount === outward + inward + leftOut.total() && frames === packetCount + rejected.total(),
      'packets are neither outside nor counted as left out');
    return {
      captures: merger.readings.map((reading, i) => ({ name: sources[i]?.path ?? '', frames: reading.frames })),
      frames, outward, inward, leftOut: leftOut.toJSON(), rejected: rejected.toJSON(), bindings: this.#bindingCount,
      portCollisions: this.#bindings.collisionCount, bindingsEndedForRoom: this.#bindings.endedForRoomCount,
      devices: this.#devices.toJSON(),
      problems: merger.problems.map(({ captureIndex, problem: { code, detail } }) =>
        ({ input: sources[captureIndex]?.path ?? '', code, detail })),
    };
  }
}

function readMac(data: Uint8Array, at: number): Uint32Array {
  const byte = (i: number): number => data[at + i] as number;
  return Uint32Array.of((byte(0) << 8) | byte(1), ((byte(2) << 24) | (byte(3) << 16) | (byte(4) << 8) | byte(5)) >>> 0);
}
