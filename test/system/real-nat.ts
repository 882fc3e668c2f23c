/**
 * A real NAT to label behind: network namespaces for two clients, a router with nft's masquerade and a server, with
 * tcpdump on both sides of the router. Every datagram begins with its client's letter, which is the truth that labels
 * are held against; the labelling never looks at it.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const routerText = '203.0.113.1';
export const serverTexts = ['203.0.113.10', '203.0.113.11', '203.0.113.12'];
/** By letter. */
export const clientMacs: Readonly<Record<string, string>> = { A: '02:00:00:00:0a:01', B: '02:00:00:00:0b:01' };

/** Echoes TCP and UDP; the first byte of what TCP sends back is the length asked for. */
const serverScript = `
import socket, threading
def serve_udp(address, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, port))
    while True:
        data, peer = s.recvfrom(2048)
        s.sendto(data * 2, peer)
def answer(c):
    data = c.recv(4096)
    if data:
        c.sendall(b'x' * (data[1] * 4 + 1))
        c.recv(1)
    c.close()
def serve_tcp(address):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 8080))
    s.listen(64)
    while True:
        c, _ = s.accept()
        threading.Thread(target=answer, args=(c,), daemon=True).start()
for address in ${JSON.stringify(serverTexts)}:
    threading.Thread(target=serve_udp, args=(address, 53), daemon=True).start()
    threading.Thread(target=serve_udp, args=(address, 9000), daemon=True).start()
    threading.Thread(target=serve_tcp, args=(address,), daemon=True).start()
print('ready', flush=True)
threading.Event().wait()
`;

/**
 * A client: at its own times, then in step with the other one and alike, then from the ports that the other one uses,
 * then echoes.
 */
const clientScript = `
import random, socket, struct, sys, time
letter, start = sys.argv[1].encode(), float(sys.argv[2])
servers = ${JSON.stringify(serverTexts)}
own = random.Random(letter[0])
both = random.Random(7)
def tcp(server, size):
    with socket.create_connection((server, 8080), 5) as s:
        s.sendall(letter + bytes([size]) + b'.' * size)
        got = 0
        while got < size * 4 + 1:
            got += len(s.recv(4096))
def udp(server, port, size, source=0):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        s.bind(('0.0.0.0', source))
        s.sendto(letter + b'.' * size, (server, port))
        s.recv(4096)
def until(at):
    time.sleep(max(0, start + at - time.time()))
def echo(server, number):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        body = struct.pack('!BBHHH', 8, 0, 0, 77, number) + letter + b'.' * 15
        total = sum(struct.unpack('!12H', body))
        total = (total & 0xffff) + (total >> 16)
        total = (total & 0xffff) + (total >> 16)
        s.sendto(body[:2] + struct.pack('!H', ~total & 0xffff) + body[4:], (server, 0))
until(0)
for _ in range(120):
    tcp(own.choice(servers), own.choice([20, 60]))
    udp(own.choice(servers), 53, own.choice([30, 40]))
    time.sleep(own.random() * 0.02)
for step in range(40):
    until(5 + step * 0.05)
    tcp(both.choice(servers), 20)
    udp(both.choice(servers), 9000, 20)
for step in range(20):
    until(8 + step * 0.05 + (0.025 if letter == b'B' else 0))
    udp(servers[0], 9000, 50 + step, 40000 + step)
for step in range(3):
    until(10 + step * 0.1)
    echo(servers[2], step)
    if letter == b'A':
        echo(servers[1], step)
`;

export type NatRunFiles = { readonly inside: string; readonly outside: string };

/** Namespaces of one test; `close` removes them and ends what runs in them. */
export class RealNat {
  readonly #name: string;
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];

  constructor(folder: string) {
    this.#folder = folder;
    this.#name = `nl${process.pid}`;
  }

  /** Lays the cables. @param masquerade  the rule, such as `masquerade fully-random`. @throws Error  not permitted */
  open(masquerade: string): void {
    const [router, server, a, b] = ['r', 's', 'A', 'B'].map((part) => this.#name + part) as
      [string, string, string, string];
    for (const space of [router, server, a, b]) run(['ip', 'netns', 'add', space]);
    const inRouter = (...words: string[]): void => run(['ip', 'netns', 'exec', router, ...words]);
    inRouter('ip', 'link', 'add', 'lan', 'type', 'bridge');
    inRouter('ip', 'address', 'add', '192.168.77.1/24', 'dev', 'lan');
    inRouter('ip', 'link', 'set', 'lan', 'up');
    for (const [letter, space, host] of [['A', a, 2], ['B', b, 3]] as const) {
      inRouter('ip', 'link', 'add', `port${letter}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
      inRouter('ip', 'link', 'set', `port${letter}`, 'master', 'lan', 'up');
      const inSpace = ['ip', '-n', space];
      run([...inSpace, 'link', 'set', 'eth0', 'address', clientMacs[letter] as string, 'up']);
      run([...inSpace, 'address', 'add', `192.168.77.${host}/24`, 'dev', 'eth0']);
      run([...inSpace, 'route', 'add', 'default', 'via', '192.168.77.1']);
    }
    inRouter('ip', 'link', 'add', 'wan', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', server);
    inRouter('ip', 'address', 'add', `${routerText}/24`, 'dev', 'wan');
    inRouter('ip', 'link', 'set', 'wan', 'up');
    run(['ip', '-n', server, 'link', 'set', 'eth0', 'up']);
    for (const address of serverTexts) run(['ip', '-n', server, 'address', 'add', `${address}/24`, 'dev', 'eth0']);
    inRouter('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
    const rules = ['table ip nat {', 'chain out {', 'type nat hook postrouting priority 100',
      `oifname "wan" ${masquerade}`, '}', '}', ''].join('\n');
    const rulesPath = join(this.#folder, 'rules.nft');
    writeFileSync(rulesPath, rules);
    inRouter('nft', '-f', rulesPath);
  }

  /** Lets both clients talk for twelve seconds and captures it. */
  async talk(): Promise<NatRunFiles> {
    const files = { inside: join(this.#folder, 'inside.pcap'), outside: join(this.#folder, 'outside.pcap') };
    const server = this.#start('s', ['/usr/bin/python3', '-c', serverScript]);
    await said(server, 'ready');
    const taps = ([['lan', files.inside], ['wan', files.outside]] as const).map(([link, path]) =>
      this.#start('r', ['tcpdump', '-i', link, '-n', '-B', '16384', '-U', '-Z', 'root', '-w', path]));
    await Promise.all(taps.map((tap) => said(tap, 'listening')));
    const startS = String(nowSeconds() + 1);
    const clients = ['A', 'B'].map((letter) =>
      this.#start(letter, ['/usr/bin/python3', '-c', clientScript, letter, startS]));
    const codes = await Promise.all(clients.map(ended));
    if (codes.some((code) => code !== 0)) throw new Error(`a client ended with ${codes.join(' and ')}`);
    // What is still under way gets half a second.
    await new Promise((resolve) => {
      setTimeout(resolve, 500);
    });
    for (const tap of taps) tap.kill('SIGINT');
    await Promise.all(taps.map(ended));
    return files;
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const part of ['A', 'B', 's', 'r']) spawnSync('ip', ['netns', 'del', this.#name + part]);
  }

  #start(part: string, words: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.#name + part, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.push(child);
    return child;
  }
}

/** `false`, or why no namespaces can be made here. */
export function whyNoNamespaces(): string | false {
  if (process.getuid?.() !== 0) return 'namespaces need root';
  const name = `nl${process.pid}probe`;
  const { status, stderr } = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
  if (status !== 0) return `network namespaces are not permitted here (${stderr?.trim() ?? 'no ip'})`;
  spawnSync('ip', ['netns', 'del', name]);
  return false;
}

function nowSeconds(): number {
  return Number(spawnSync('date', ['+%s.%N'], { encoding: 'utf8' }).stdout);
}

/** Runs a program. @throws Error  with what it says, when it fails */
export function run([program = '', ...words]: readonly string[]): void {
  const { status, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr}`);
}

/** Waits until a program has written a word. */
export function said(child: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const listen = (piece: Buffer): void => {
      text += piece.toString();
      if (text.includes(word)) resolve();
    };
    child.stdout?.on('data', listen);
    child.stderr?.on('data', listen);
    child.on('exit', () => reject(new Error(`ended before it said ${word}: ${text}`)));
  });
}

/** Waits until a program has ended; its exit code. */
export function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => {
    child.on('exit', (code) => resolve(code));
  });
}
