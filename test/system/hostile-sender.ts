/**
 * Sends hostile export messages at full rate from thousands of addresses of loopback: random bytes, good messages with
 * changes, messages that no exporter would send. Made from a seed; the program that sends them takes them again and
 * again, each time from another address, and tells how many went.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import { Random } from '#base';
import { mutateMessage, setDomain, type Corpus } from '../support/export-mutator.ts';
import { createHostileMessage } from '../support/hostile-messages.ts';

/** Largest payload of UDP over IPv4 (RFC 768, RFC 791). */
const payloadBytesMax = 65_507;

/**
 * Arguments: file of messages (each after two bytes of length), port, addresses, seconds. IP_PKTINFO gives each
 * datagram its source, 127.66.0.0 and what follows.
 */
export const hostileScript = `
import json, random, socket, struct, sys, time
path, port, addresses, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
data, messages, at = open(path, 'rb').read(), [], 0
while at < len(data):
    length = data[at] * 256 + data[at + 1]
    messages.append(data[at + 2:at + 2 + length])
    at += 2 + length
chance = random.Random(1)
sources = [[(socket.IPPROTO_IP, 8, struct.pack('!I4sI', 0, struct.pack('!I', (127 << 24) + (66 << 16) + i),
    0))] for i in range(addresses)]
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
target, sent, size = ('127.0.0.1', port), 0, 0
end = time.monotonic() + seconds
while time.monotonic() < end:
    for _ in range(200):
        message = messages[int(chance.random() * len(messages))]
        out.sendmsg([message], sources[int(chance.random() * addresses)], 0, target)
        size += len(message)
    sent += 200
print(json.dumps({'datagrams': sent, 'bytes': size}))
`;

/** Writes messages to send: a third each of random bytes, changed good ones, and ones that no exporter would send. */
export function writeHostileMessages(path: string, corpus: Corpus, { count, seed }: { count: number; seed: number }):
void {
  const random = new Random(seed);
  const parts: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const kind = i % 3;
    const bytes = (kind === 0 ? makeNoise(random) : kind === 1 ? makeChanged(random, corpus, i)
      : createHostileMessage(random)).subarray(0, payloadBytesMax);
    parts.push(Uint8Array.of(bytes.length >>> 8, bytes.length & 255), bytes);
  }
  writeFileSync(path, Buffer.concat(parts));
}

/** Half of it says that it is an export. */
function makeNoise(random: Random): Uint8Array {
  const bytes = new Uint8Array(random.integer(0, random.chance(0.05) ? 9_000 : 600));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.uint32();
  if (bytes.length > 2 && random.chance(0.5)) bytes.set([0, random.pick([5, 9, 10])]);
  return bytes;
}

function makeChanged(random: Random, corpus: Corpus, index: number): Uint8Array {
  const bytes = mutateMessage(random, corpus, index);
  if (bytes.length >= 24 && random.chance(0.8)) setDomain(bytes, random.integer(0, 255));
  return bytes;
}

/** Waits for a program that ends with a line of JSON. @throws Error  it failed */
export async function resultOf<T>(child: ChildProcess): Promise<T> {
  let [told, fault] = ['', ''];
  child.stdout?.on('data', (text: Buffer) => { told += text.toString(); });
  child.stderr?.on('data', (text: Buffer) => { fault += text.toString(); });
  const [code] = await once(child, 'close') as [number | null];
  if (code !== 0) throw new Error(`ended with ${code}: ${fault}`);
  return JSON.parse(told) as T;
}
