/**
 * An exporter, or many, that send as fast as wished: NetFlow v5, v9 or IPFIX by sendmmsg(2), in a process of its own,
 * with right sequence numbers and templates now and then. Prints what it sent as JSON.
 *
 *   node bench/export-blaster.ts '{"port":2055,"protocol":9,"datagramsPerSecond":10000,"seconds":2}'
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#base';
import { encodeSocketAddress, errnoName, loadLibc, type Libc } from '#capture/live';
import {
  makeBlast, recordsMax, sequenceStep, stampDatagram, type BlastProtocol, type MadeDatagrams,
} from './blast-datagrams.ts';

export type BlastOptions = {
  readonly port: number;
  /** 127.0.0.1; `::1` goes as well, with one source address. */
  readonly address?: string;
  readonly protocol: BlastProtocol;
  /** Datagrams with records; templates come on top. 0: as fast as the kernel takes them. */
  readonly datagramsPerSecond: number;
  readonly seconds: number;
  /** Ends after so many datagrams with records, whatever the time. */
  readonly datagrams?: number;
  readonly recordsPerDatagram?: number;
  /** Sockets, each an exporter with a domain of its own. */
  readonly sources?: number;
  /** Addresses that they are spread over: 127.0.0.1, 127.0.0.2, … */
  readonly addresses?: number;
  readonly templateEverySeconds?: number;
  readonly seed?: number;
};

export type BlastSource = {
  readonly address: string;
  readonly port: number;
  readonly domain: number;
  datagrams: number;
  templates: number;
  records: number;
  /** That the next datagram would have. */
  sequence: number;
};

export type BlastResult = {
  /** With records, and with templates. */
  readonly datagrams: number;
  readonly templateDatagrams: number;
  readonly records: number;
  readonly bytes: number;
  /** From the first datagram with records to the end. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Most datagrams that were sent late at once: a schedule that was kept has few. */
  readonly burstMax: number;
  readonly sources: readonly BlastSource[];
};

/** Runs a blaster in a process of its own. */
export async function blast(options: BlastOptions): Promise<BlastResult> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), JSON.stringify(options)],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => void chunks.push(chunk));
  const [code] = await once(child, 'close') as [number | null];
  if (code !== 0) throw new Error(`the blaster ended with exit code ${code}`);
  return JSON.parse(Buffer.concat(chunks).toString()) as BlastResult;
}

const batchDatagrams = 64;
/** Sources take turns of so many datagrams. */
const turnDatagrams = 16;
const idleMs = 0.2;
const headerBytes = 64;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;

class Blaster {
  readonly #libc: Libc = loadLibc();
  readonly #options: BlastOptions;
  readonly #made: MadeDatagrams;
  readonly #view: DataView;
  readonly #memory: Uint8Array;
  readonly #address: number;
  readonly #templateAt: number;
  readonly #descriptors: number[] = [];
  readonly #sources: BlastSource[] = [];
  readonly #startMs = systemClock.monotonicMs();
  #bytes = 0;

  constructor(options: BlastOptions) {
    this.#options = options;
    const { protocol, recordsPerDatagram = recordsMax[protocol], sources = 1, address = '127.0.0.1' } = options;
    this.#made = makeBlast(protocol, recordsPerDatagram, batchDatagrams, options.seed ?? 1, systemClock.nowMs());
    const { data, template, datagramBytes } = this.#made;
    const target = encodeSocketAddress(address, options.port);
    // Headers, one vector each, the target, the datagrams, and the template with a header and vector behind all others.
    const vectorsAt = (batchDatagrams + 1) * headerBytes;
    const targetAt = vectorsAt + (batchDatagrams + 1) * 16;
    const dataAt = targetAt + 32;
    this.#templateAt = dataAt + data.length;
    this.#memory = new Uint8Array(this.#templateAt + template.length + (1 << 16));
    this.#view = new DataView(this.#memory.buffer);
    this.#address = this.#libc.addressOf(this.#memory);
    this.#memory.set(target, targetAt);
    this.#memory.set(data, dataAt);
    this.#memory.set(template, this.#templateAt);
    for (let i = 0; i <= batchDatagrams; i++) {
      const isTemplate = i === batchDatagrams;
      const vectorAt = vectorsAt + i * 16;
      this.#writePointer(i * headerBytes, targetAt);
      this.#view.setUint32(i * headerBytes + 8, target.length, true);
      this.#writePointer(i * headerBytes + 16, vectorAt);
      this.#view.setUint32(i * headerBytes + 24, 1, true);
      this.#writePointer(vectorAt, isTemplate ? this.#templateAt : dataAt + i * datagramBytes);
      this.#view.setUint32(vectorAt + 8, isTemplate ? template.length : datagramBytes, true);
    }
    for (let i = 0; i < sources; i++) this.#open(i);
  }

  run(): BlastResult {
    const { datagramsPerSecond, seconds, templateEverySeconds = 10 } = this.#options;
    const whole = datagramsPerSecond > 0 ? Math.round(datagramsPerSecond * seconds) : Infinity;
    const datagramsMax = Math.min(this.#options.datagrams ?? Infinity, whole);
    this.#sendTemplates();
    // So that no datagram overtakes its template on the way through a collector.
    sleep(50);
    const beganMs = systemClock.monotonicMs();
    let sent = 0;
    let burstMax = 0;
    let turn = 0;
    let nextTemplatesMs = templateEverySeconds * 1000;
    let elapsedMs = 0;
    while (sent < datagramsMax && (datagramsPerSecond > 0 || elapsedMs < seconds * 1000)) {
      elapsedMs = systemClock.monotonicMs() - beganMs;
      if (elapsedMs >= nextTemplatesMs) {
        this.#sendTemplates();
        nextTemplatesMs += templateEverySeconds * 1000;
      }
      const due = datagramsPerSecond > 0 ? Math.min(Math.floor(elapsedMs / 1000 * datagramsPerSecond), datagramsMax)
        : Math.min(sent + batchDatagrams, datagramsMax);
      if (datagramsPerSecond > 0) burstMax = Math.max(burstMax, due - sent);
      if (due === sent) sleep(idleMs);
      while (sent < due) {
        const count = Math.min(due - sent, this.#sources.length > 1 ? turnDatagrams : batchDatagrams);
        this.#send(turn++ % this.#sources.length, count);
        sent += count;
      }
    }
    const endMs = systemClock.monotonicMs();
    for (const descriptor of this.#descriptors) this.#libc.close(descriptor);
    const sources = this.#sources;
    const { user, system } = process.cpuUsage();
    return {
      datagrams: sent, templateDatagrams: sources.reduce((sum, { templates }) => sum + templates, 0),
      records: sent * this.#made.recordsPerDatagram, bytes: this.#bytes, seconds: (endMs - beganMs) / 1000,
      cpuSeconds: (user + system) / 1e6, burstMax, sources,
    };
  }

  #open(i: number): void {
    const { address: target = '127.0.0.1', addresses = 1 } = this.#options;
    const isV6 = target.includes(':');
    const address = isV6 ? '::1' : `127.0.${(i % addresses) >>> 8}.${(i % addresses & 255) + 1}`;
    const descriptor = this.#libc.socket(isV6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    const own = encodeSocketAddress(address, 0);
    this.#check(descriptor);
    this.#check(this.#libc.bind(descriptor, own, own.length));
    this.#check(this.#libc.getsockname(descriptor, own, new Uint32Array([own.length])));
    this.#descriptors.push(descriptor);
    const port = (own[2] as number) << 8 | (own[3] as number);
    this.#sources.push({ address, port, domain: i + 1, datagrams: 0, templates: 0, records: 0, sequence: 0 });
  }

  #sendTemplates(): void {
    const { protocol, template } = this.#made;
    if (template.length === 0) return;
    this.#sources.forEach((source, i) => {
      this.#stamp(this.#templateAt, source);
      this.#hand(i, batchDatagrams, 1);
      source.templates++;
      source.sequence += protocol === 9 ? 1 : 0;
      this.#bytes += template.length;
    });
  }

  #send(index: number, count: number): void {
    const { protocol, recordsPerDatagram, datagramBytes, data } = this.#made;
    const source = this.#sources[index] as BlastSource;
    const dataAt = this.#templateAt - data.length;
    const nowMs = systemClock.nowMs();
    const elapsedMs = systemClock.monotonicMs() - this.#startMs;
    const step = sequenceStep(protocol, recordsPerDatagram);
    for (let i = 0; i < count; i++) {
      stampDatagram(this.#view, dataAt + i * datagramBytes, protocol,
        { sequence: source.sequence, domain: source.domain, elapsedMs, nowMs });
      source.sequence += step;
    }
    this.#hand(index, 0, count);
    source.datagrams += count;
    source.records += count * recordsPerDatagram;
    this.#bytes += count * datagramBytes;
  }

  #stamp(at: number, { sequence, domain }: BlastSource): void {
    const elapsedMs = systemClock.monotonicMs() - this.#startMs;
    stampDatagram(this.#view, at, this.#made.protocol, { sequence, domain, elapsedMs, nowMs: systemClock.nowMs() });
  }

  /** Hands datagrams to the kernel, which takes some of them at a time. */
  #hand(source: number, from: number, count: number): void {
    for (let done = 0; done < count;) {
      const at = this.#address + (from + done) * headerBytes;
      const taken = this.#libc.sendmmsg(this.#descriptors[source] as number, at, count - done, 0);
      if (taken < 0 && errnoName(this.#libc) === 'EINTR') continue;
      this.#check(taken);
      done += taken;
    }
  }

  #writePointer(at: number, target: number): void {
    this.#view.setBigUint64(at, BigInt(this.#address + target), true);
  }

  #check(result: number): void {
    if (result < 0) throw new Error(`a call of the C library failed: ${errnoName(this.#libc)}`);
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

function sleep(durationMs: number): void {
  Atomics.wait(sleeper, 0, 0, durationMs);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${JSON.stringify(new Blaster(JSON.parse(process.argv[2] ?? '{}') as BlastOptions).run())}\n`);
}
