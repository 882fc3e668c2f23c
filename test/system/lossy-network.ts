/**
 * Exporters and a collector in two network namespaces, with a lossy link between them (`lossy-relay.ts`) and tcpdump
 * on both ends: what is captured at the exporters was sent, what is captured at the collector arrived before its
 * socket. Each exporter has an address of its own, by the address of the collector that it sends to.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { endGroup } from './detector-network.ts';
import { relayScript, soundLink, type LinkCounts, type LinkFates } from './lossy-relay.ts';
import { ended, run, said } from './real-nat.ts';

export type LinkEnd = 'exporters' | 'collector';
const ends: readonly LinkEnd[] = ['exporters', 'collector'];
const link = 'wire';
const linkMacs: Readonly<Record<LinkEnd, string>> = { exporters: '02:00:00:00:0e:01', collector: '02:00:00:00:0c:01' };
/** Exporters that have addresses. */
const placeCount = 20;

/** Address of an exporter, from 1 on, and the collector's address that it must send to. */
export const exporterAddress = (place: number): string => `192.0.2.${place}`;
export const collectorAddress = (place: number): string => `198.51.100.${place}`;

type Tap = { readonly child: ChildProcess; readonly path: string; told: string };

/** Namespaces of one test; `close` removes them and ends what runs in them. */
export class LossyNetwork {
  readonly #folder: string;
  readonly #name: string;
  readonly #children: ChildProcess[] = [];
  readonly #answers: ((counts: LinkCounts[]) => void)[] = [];
  #relay: ChildProcess | undefined;
  #lines: Interface | undefined;
  #taps: Tap[] = [];
  /** What the relay complained of. */
  readonly faults: string[] = [];

  /**
   * @param folder  of the test's own, for captures
   * @param name    tells networks of one process apart
   */
  constructor(folder: string, name = '') {
    this.#folder = folder;
    this.#name = `lk${process.pid}${name}`;
  }

  /** Lays the cable. @param seed  of the fates of frames. @throws Error  not permitted */
  async open(seed: number): Promise<void> {
    for (const end of ends) {
      const space = this.space(end);
      run(['ip', 'netns', 'add', space]);
      for (const path of ['ipv6/conf/all/disable_ipv6', 'ipv6/conf/default/disable_ipv6']) {
        run(['ip', 'netns', 'exec', space, 'sh', '-c', `echo 1 > /proc/sys/net/${path}`]);
      }
      run(['ip', '-n', space, 'link', 'set', 'lo', 'up']);
    }
    const relay = spawn('/usr/bin/python3',
      ['-u', '-c', relayScript, ...ends.map((end) => this.space(end)), link, String(seed), JSON.stringify(soundLink)],
      { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#children.push(relay);
    await said(relay, 'ready');
    this.#relay = relay;
    relay.stderr.on('data', (text: Buffer) => this.faults.push(text.toString()));
    this.#lines = createInterface({ input: relay.stdout });
    this.#lines.on('line', (line) => {
      if (line.startsWith('{')) this.faults.push(line);
      else this.#answers.shift()?.(JSON.parse(line) as LinkCounts[]);
    });
    for (const [i, end] of ends.entries()) this.#setUp(end, ends[1 - i] as LinkEnd);
  }

  /** Neighbours are known, so that nothing but exports and their answers is on the link. */
  #setUp(end: LinkEnd, other: LinkEnd): void {
    const addresses = [exporterAddress, collectorAddress];
    const [own, theirs] = (end === 'exporters' ? addresses : addresses.reverse()) as
      [typeof exporterAddress, typeof collectorAddress];
    const lines = [`link set ${link} address ${linkMacs[end]}`, `link set ${link} txqueuelen 10000`,
      `link set ${link} up`];
    for (let place = 1; place <= placeCount; place++) {
      lines.push(`address add ${own(place)}/32 dev ${link}`);
      lines.push(`neighbour replace ${theirs(place)} lladdr ${linkMacs[other]} dev ${link} nud permanent`);
      lines.push(`route add ${theirs(place)}/32 dev ${link} src ${own(place)}`);
    }
    const { status, stderr } = spawnSync('ip', ['-n', this.space(end), '-batch', '-'],
      { input: `${lines.join('\n')}\n`, encoding: 'utf8' });
    if (status !== 0) throw new Error(`ip -batch: ${stderr}`);
  }

  /** Keeps it from exporters that nobody listens, as firewalls do: some of them end when they are told. */
  hush(): void {
    const rules = ['table ip hush {', 'chain out {', 'type filter hook output priority 0',
      'icmp type destination-unreachable drop', '}', '}', ''].join('\n');
    const [program = '', ...words] = this.words('collector', ['nft', '-f', '-']);
    const { status, stderr } = spawnSync(program, words, { input: rules, encoding: 'utf8' });
    if (status !== 0) throw new Error(`nft: ${stderr}`);
  }

  space(end: LinkEnd): string {
    return `${this.#name}${end === 'exporters' ? 'e' : 'c'}`;
  }

  /** Words that run a program in a namespace. */
  words(end: LinkEnd, words: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.space(end), ...words];
  }

  /** Starts a program in a namespace, with a group of its own: pmacctd leaves its plug-in behind. */
  start(end: LinkEnd, words: readonly string[], environment: NodeJS.ProcessEnv = process.env): ChildProcess {
    const [program = '', ...more] = this.words(end, words);
    const child = spawn(program, more, { stdio: ['pipe', 'pipe', 'pipe'], env: environment, detached: true });
    this.#children.push(child);
    return child;
  }

  /** Changes the fates of frames from now on; what the link did before, by the end that frames came from. */
  async setFates(fates: Partial<LinkFates>): Promise<Record<LinkEnd, LinkCounts>> {
    return this.#ask(JSON.stringify(fates));
  }

  counts(): Promise<Record<LinkEnd, LinkCounts>> {
    return this.#ask('');
  }

  async #ask(line: string): Promise<Record<LinkEnd, LinkCounts>> {
    const answer = new Promise<LinkCounts[]>((resolve) => this.#answers.push(resolve));
    this.#relay?.stdin?.write(`${line}\n`);
    const [exporters, collector] = await answer as [LinkCounts, LinkCounts];
    return { exporters, collector };
  }

  /** Waits until nothing is on its way any more. */
  async untilEmpty(): Promise<void> {
    for (let quiet = 0; quiet < 3;) {
      await pause(20);
      const { exporters, collector } = await this.counts();
      quiet = exporters.held + collector.held === 0 ? quiet + 1 : 0;
    }
  }

  /** Lets the link be sound until nothing is on its way; then it is as lossy as it was told. */
  async heal(): Promise<void> {
    await this.setFates(soundLink);
    await this.untilEmpty();
  }

  /** Starts capturing at both ends. @param what  tcpdump's filter */
  async capture(what: string): Promise<void> {
    this.#taps = ends.map((end) => {
      const path = join(this.#folder, `${end}.pcap`);
      const child = this.start(end, ['tcpdump', '-i', link, '-n', '-U', '-B', '65536', '-s', '0', '-Z', 'root', '-w',
        path, ...what.split(' ')]);
      const tap: Tap = { child, path, told: '' };
      child.stderr?.on('data', (text: Buffer) => { tap.told += text.toString(); });
      return tap;
    });
    await Promise.all(this.#taps.map(({ child }) => said(child, 'listening')));
  }

  /** Ends capturing. @throws Error  a capture is not whole */
  async endCapture(): Promise<Record<LinkEnd, Uint8Array>> {
    // What tcpdump has not read from the kernel when it is interrupted is not in its file.
    await pause(1_100);
    for (const { child } of this.#taps) process.kill(-(child.pid as number), 'SIGINT');
    await Promise.all(this.#taps.map(({ child }) => ended(child)));
    for (const { path, told } of this.#taps) {
      const [, captured, received] = /(\d+) packets? captured\s+(\d+) packets? received by filter/.exec(told) ?? [];
      if (!/\b0 packets dropped by kernel/.test(told) || captured !== received) throw new Error(`${path}: ${told}`);
    }
    const [exporters, collector] = this.#taps.map(({ path }) => new Uint8Array(readFileSync(path)));
    return { exporters: exporters as Uint8Array, collector: collector as Uint8Array };
  }

  /** What UDP sockets at the collector's end dropped so far, by the kernel's own list, for each local port. */
  socketDrops(): Map<number, number> {
    const drops = new Map<number, number>();
    for (const file of ['udp', 'udp6']) {
      const { stdout } = spawnSync('ip', ['netns', 'exec', this.space('collector'), 'cat', `/proc/net/${file}`],
        { encoding: 'utf8' });
      for (const line of stdout.split('\n').slice(1, -1)) {
        const cells = line.trim().split(/\s+/);
        const port = Number.parseInt(/:([0-9A-F]{4})$/.exec(cells[1] ?? '')?.[1] ?? '', 16);
        drops.set(port, (drops.get(port) ?? 0) + Number(cells.at(-1)));
      }
    }
    return drops;
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map(endGroup));
    for (const end of ends) spawnSync('ip', ['netns', 'del', this.space(end)]);
  }
}
