/**
 * Exporters at one end of a lossy link: softflowd, fprobe, pmacctd's nfprobe and our probe on a capture, `natlens
 * export` on flow records, and one that sends given messages and changes its port as it goes. Each run is a restart to
 * a collector. They read files: live, softflowd exports nothing where the kernel's poll of a capture knows no time-out.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environment, launcher } from '../support/natlens-process.ts';
import { collectorAddress, type LossyNetwork } from './lossy-network.ts';
import { ended } from './real-nat.ts';

export type ExportPlace = {
  readonly network: LossyNetwork;
  /** Of the test's own. */
  readonly folder: string;
  /** Number of the exporter's address. */
  readonly place: number;
  readonly port: number;
};

const target = ({ place, port }: ExportPlace): string => `${collectorAddress(place)}:${port}`;
let runCount = 0;
/** Each run's files are its own. */
const pathOf = ({ folder }: ExportPlace, name: string): string => join(folder, `${name}-${++runCount}`);

/** Runs a program to its end. @throws Error  it failed */
async function runExporter({ network, folder }: ExportPlace, words: readonly string[], codes: readonly number[] = [0]):
Promise<void> {
  const child = network.start('exporters', words, environment(folder));
  let told = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => { told += text.toString(); });
  child.stdin?.end();
  const code = await ended(child);
  if (code === null || !codes.includes(code)) throw new Error(`${words.join(' ')} ended with ${code}: ${told}`);
}

/** @param options  such as `-b` for biflows in IPFIX, or `-P tcp` */
export function runSoftflowd(at: ExportPlace, capture: string, version: 5 | 9 | 10, ...options: string[]):
Promise<void> {
  return runExporter(at, ['softflowd', '-d', '-r', capture, '-n', target(at), '-c', 'none', '-p', pathOf(at, 'pid'),
    '-m', '1000000', '-v', String(version), ...options]);
}

/** NetFlow v5. @param pauseMs  between two datagrams */
export function runFprobe(at: ExportPlace, capture: string, pauseMs: number): Promise<void> {
  // It waits after so many bytes, and its datagrams have up to 1,464.
  return runExporter(at, ['bash', '-c', 'exec fprobe "$@" < "$0"', capture, '-i', '-', '-q', '200000', '-l', '2',
    '-f', 'ip', '-t', `1400:${pauseMs * 1_000_000}`, target(at)]);
}

/** Keys of pmacctd that make its template; other keys are another template under the same id. */
export const nfprobeKeys = {
  usual: 'src_host,dst_host,src_port,dst_port,proto,tos,tcpflags', withoutPorts: 'src_host,dst_host,proto,tos',
} as const;

export function runNfprobe(at: ExportPlace, capture: string, version: 5 | 9 | 10, keys: string = nfprobeKeys.usual):
Promise<void> {
  const settings = pathOf(at, 'nfprobe');
  writeFileSync(settings, `daemonize: false
plugins: nfprobe
aggregate: ${keys}
nfprobe_receiver: ${target(at)}
nfprobe_version: ${version}
nfprobe_timeouts: tcp=60:tcp.rst=60:tcp.fin=60:udp=60:icmp=60:general=60:maxlife=120:expint=1
pcap_savefile: ${capture}
pcap_savefile_delay: 1
`);
  // Now and then its two processes miss each other's end; what was sent is seen in the captures.
  return runExporter(at, ['pmacctd', '-f', settings], [0, 1]);
}

/** @param flows  a file of flow records */
export function runNatlensExport(at: ExportPlace, flows: string,
  { version, rate, domain = 0 }: { version: 9 | 10; rate: number; domain?: number }): Promise<void> {
  return runExporter(at, [process.execPath, launcher, 'export', flows, '--to', target(at),
    version === 9 ? '--v9' : '--ipfix', '--rate', String(rate), '--domain', String(domain), '--quiet']);
}

/** @param capture  read at once, not at its own pace */
export function runNatlensProbe(at: ExportPlace, capture: string, version: 9 | 10): Promise<void> {
  return runExporter(at, [process.execPath, launcher, 'probe', capture, '--fast', '--to', target(at), '--quiet',
    ...version === 9 ? ['--v9'] : []]);
}

/**
 * Sends messages, so many from a port before it takes another one. Their headers tell the time at which they leave, by
 * a clock that began with the program (RFC 3954 §5.1, RFC 7011 §3.1).
 */
const senderScript = `
import socket, struct, sys, time
host, port, share, pause = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
used, began = [], time.monotonic()
def stamp(message):
    now, up = time.time(), int((time.monotonic() - began) * 1000)
    times = {5: (up, int(now), int(now % 1 * 1e9)), 9: (up, int(now)), 10: (int(now),)}[message[1]]
    return message[:4] + struct.pack('!%dI' % len(times), *times) + message[4 + 4 * len(times):]
for number, line in enumerate(sys.stdin):
    if number % share == 0:
        # The old ones stay open, or the kernel might give one of their ports again.
        used.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    used[-1].sendto(stamp(bytes.fromhex(line)), (host, port))
    time.sleep(pause)
`;

export async function sendMessages(at: ExportPlace, messages: readonly Uint8Array[],
  { messagesPerPort, pauseMs }: { messagesPerPort: number; pauseMs: number }): Promise<void> {
  const child = at.network.start('exporters', ['/usr/bin/python3', '-c', senderScript, collectorAddress(at.place),
    String(at.port), String(messagesPerPort), String(pauseMs / 1000)]);
  let told = '';
  child.stderr?.on('data', (text: Buffer) => { told += text.toString(); });
  child.stdin?.end(messages.map((bytes) => `${Buffer.from(bytes).toString('hex')}\n`).join(''));
  if (await ended(child) !== 0) throw new Error(`the sender failed: ${told}`);
}
