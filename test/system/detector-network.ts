/**
 * A provider's network to detect in: two homes, each a client behind a router of its own with nft's masquerade, a
 * provider's machine that forwards for both and on which exporter, detector and blocks are, and servers with several
 * addresses. All in network namespaces; nothing leaves them. IPv6 is routed without a NAT, as at home.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { ended, run, said } from './real-nat.ts';

export type HomeLetter = 'A' | 'B';
export const homeLetters: readonly HomeLetter[] = ['A', 'B'];
/** What the provider sees of a home. */
export const wanAddresses: Readonly<Record<HomeLetter, string>> = { A: '203.0.113.11', B: '203.0.113.12' };
export const clientAddresses6: Readonly<Record<HomeLetter, string>> = { A: '2001:db8:a::2', B: '2001:db8:b::2' };
export const serverAddresses = ['198.51.100.10', '192.0.2.10', '198.18.1.10', '198.18.2.10', '198.18.3.10'] as const;
export const serverAddresses6 = ['2001:db8:5::10', '2001:db8:6::10'] as const;
/** Ports that servers answer on, over TCP and UDP. */
export const serverPorts = [23, 53, 123, 443, 8_080, 8_883] as const;
/** Link of the provider's machine to the homes, where an exporter looks. */
export const accessLink = 'access';

/**
 * Servers. Over UDP they send back what they get, in the length that its first two bytes ask for; over TCP they answer
 * a message in the same way, and close after the client.
 */
const serverScript = `
import asyncio
class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, peer):
        self.transport.sendto(b'x' * int.from_bytes(data[:2], 'big'), peer)
async def serve(reader, writer):
    try:
        while head := await reader.readexactly(4):
            await reader.readexactly(int.from_bytes(head[2:], 'big') - 4)
            writer.write(b'x' * int.from_bytes(head[:2], 'big'))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()
async def main():
    loop = asyncio.get_running_loop()
    for address in ADDRESSES:
        for port in PORTS:
            await loop.create_datagram_endpoint(Echo, local_addr=(address, port))
            await asyncio.start_server(serve, address, port)
    print('ready', flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
`;

/**
 * A client that does what lines on its standard input say, `PROTOCOL ADDRESS PORT SEND RECEIVE`, each in a thread of
 * its own, and tells the line's number with 1 when all came back in time and 0 when not.
 */
const clientScript = `
import socket, sys, threading
lock = threading.Lock()
def udp(family, to, send, receive):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(0.7)
        s.sendto(receive.to_bytes(2, 'big') + b'.' * (send - 2), to)
        return len(s.recv(65536)) == receive
def tcp(family, to, send, receive):
    with socket.create_connection(to, 0.7) as s:
        s.sendall(receive.to_bytes(2, 'big') + send.to_bytes(2, 'big') + b'.' * (send - 4))
        got = 0
        while got < receive:
            piece = s.recv(65536)
            if not piece:
                return False
            got += len(piece)
        return True
def work(number, protocol, address, port, send, receive):
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    try:
        fine = (tcp if protocol == 'tcp' else udp)(family, (address, int(port)), int(send), int(receive))
    except OSError:
        fine = False
    with lock:
        print(number, int(fine), flush=True)
print('ready', flush=True)
for number, line in enumerate(sys.stdin):
    threading.Thread(target=work, args=(number, *line.split()), daemon=True).start()
`;

/** One exchange of a client with a server. */
export type Exchange = {
  readonly protocol: 'tcp' | 'udp';
  readonly to: string;
  readonly port: number;
  /** Bytes of payload that the client sends, at least 4, and gets back. */
  readonly send?: number;
  readonly receive?: number;
};

class Client {
  readonly process: ChildProcess;
  readonly #lines: Interface;
  readonly #waiting = new Map<number, (isFine: boolean) => void>();
  #count = 0;

  constructor(child: ChildProcess) {
    this.process = child;
    this.#lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    this.#lines.on('line', (line) => {
      const [number, fine] = line.split(' ').map(Number);
      this.#waiting.get(number as number)?.(fine === 1);
      this.#waiting.delete(number as number);
    });
  }

  exchange({ protocol, to, port, send = 40, receive = 40 }: Exchange): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.set(this.#count++, resolve);
      this.process.stdin?.write(`${protocol} ${to} ${port} ${send} ${receive}\n`);
    });
  }
}

/** Ends a program and all that it started, and waits for its end. */
export async function endGroup(child: ChildProcess): Promise<void> {
  try {
    process.kill(-(child.pid as number), 'SIGKILL');
  } catch {
    // Nothing of the group is left.
  }
  await ended(child);
}

/** Namespaces of one test; `close` removes them and ends what runs in them. */
export class DetectorNetwork {
  readonly #folder: string;
  readonly #name: string;
  readonly #children: ChildProcess[] = [];
  readonly #clients = new Map<HomeLetter, Client>();

  /** @param folder  of the test's own, for rules and programs */
  constructor(folder: string) {
    this.#folder = folder;
    this.#name = `nd${process.pid}`;
  }

  /** Lays the cables and starts servers and clients. @throws Error  not permitted */
  async open(): Promise<void> {
    for (const part of ['p', 's', ...homeLetters.flatMap((letter) => [`r${letter}`, `c${letter}`])]) {
      run(['ip', 'netns', 'add', this.space(part)]);
      this.#ip(part, 'link', 'set', 'lo', 'up');
      // Addresses are unique here, and asking whether they are takes seconds.
      this.#set(part, 'ipv6/conf/default/accept_dad', 0);
    }
    this.#ip('p', 'link', 'add', accessLink, 'type', 'bridge');
    this.#address('p', accessLink, '203.0.113.1/24', '2001:db8:ff::1/64');
    for (const [i, letter] of homeLetters.entries()) this.#openHome(letter, i);
    this.#ip('p', 'link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.space('s'));
    this.#address('p', 'uplink', '100.64.0.1/30', '2001:db8:fe::1/64');
    this.#address('s', 'eth0', '100.64.0.2/30', '2001:db8:fe::2/64');
    for (const address of serverAddresses) this.#ip('s', 'address', 'add', `${address}/32`, 'dev', 'lo');
    for (const address of serverAddresses6) this.#ip('s', 'address', 'add', `${address}/128`, 'dev', 'lo', 'nodad');
    this.#ip('s', 'route', 'add', 'default', 'via', '100.64.0.1');
    this.#ip('s', '-6', 'route', 'add', 'default', 'via', '2001:db8:fe::1');
    this.#ip('p', 'route', 'add', 'default', 'via', '100.64.0.2');
    this.#ip('p', '-6', 'route', 'add', 'default', 'via', '2001:db8:fe::2');
    this.#forward('p');
    const addresses = JSON.stringify([...serverAddresses, ...serverAddresses6]);
    const script = serverScript.replace('ADDRESSES', addresses).replace('PORTS', JSON.stringify(serverPorts));
    await said(this.start('s', ['/usr/bin/python3', '-c', script]), 'ready');
    for (const letter of homeLetters) {
      const child = this.start(`c${letter}`, ['/usr/bin/python3', '-u', '-c', clientScript]);
      await said(child, 'ready');
      this.#clients.set(letter, new Client(child));
      // Neighbours are looked up with the first packets, of which few may wait.
      for (const to of [serverAddresses[0], serverAddresses6[0]]) {
        await this.exchange(letter, { protocol: 'udp', to, port: serverPorts[0] });
      }
    }
  }

  #openHome(letter: HomeLetter, index: number): void {
    const [router, client] = [`r${letter}`, `c${letter}`];
    this.#ip('p', 'link', 'add', `home${letter}`, 'type', 'veth', 'peer', 'name', 'wan', 'netns', this.space(router));
    this.#ip('p', 'link', 'set', `home${letter}`, 'master', accessLink, 'up');
    this.#ip(router, 'link', 'add', 'lan', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.space(client));
    const prefix = clientAddresses6[letter].replace(/::2$/, '');
    this.#address(router, 'wan', `${wanAddresses[letter]}/24`, `2001:db8:ff::${11 + index}/64`);
    this.#address(router, 'lan', '192.168.77.1/24', `${prefix}::1/64`);
    this.#address(client, 'eth0', '192.168.77.2/24', `${prefix}::2/64`);
    this.#ip(client, 'route', 'add', 'default', 'via', '192.168.77.1');
    this.#ip(client, '-6', 'route', 'add', 'default', 'via', `${prefix}::1`);
    this.#ip(router, 'route', 'add', 'default', 'via', '203.0.113.1');
    this.#ip(router, '-6', 'route', 'add', 'default', 'via', '2001:db8:ff::1');
    this.#ip('p', '-6', 'route', 'add', `${prefix}::/64`, 'via', `2001:db8:ff::${11 + index}`);
    this.#forward(router);
    const rules = ['table ip nat {', 'chain out {', 'type nat hook postrouting priority 100',
      'oifname "wan" masquerade', '}', '}', ''].join('\n');
    const path = join(this.#folder, `nat-${letter}.nft`);
    writeFileSync(path, rules);
    run(['ip', 'netns', 'exec', this.space(router), 'nft', '-f', path]);
  }

  /** Name of the namespace of a part: `p` provider, `s` servers, `rA` router of home A, `cA` its client. */
  space(part: string): string {
    return this.#name + part;
  }

  /** Starts a program in a namespace, with a group of its own: pmacctd leaves its plug-in behind. */
  start(part: string, words: readonly string[], environment: NodeJS.ProcessEnv = process.env): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.space(part), ...words],
      { stdio: ['pipe', 'pipe', 'pipe'], env: environment, detached: true });
    this.#children.push(child);
    return child;
  }

  /** Runs a program in a namespace to its end; what it wrote. @throws Error  it failed */
  runIn(part: string, words: readonly string[]): string {
    const { status, stdout, stderr } =
      spawnSync('ip', ['netns', 'exec', this.space(part), ...words], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** A program that is another one within a namespace, for who can only be told a program's name. */
  programIn(part: string, program: string): string {
    const path = join(this.#folder, `${part}-${program}`);
    writeFileSync(path, `#!/bin/sh\nexec ip netns exec ${this.space(part)} ${program} "$@"\n`);
    chmodSync(path, 0o755);
    return path;
  }

  /** Lets a client talk to a server; true when all came back within 0.7 s. */
  exchange(letter: HomeLetter, exchange: Exchange): Promise<boolean> {
    const client = this.#clients.get(letter);
    if (client === undefined) throw new Error('the network is not open');
    return client.exchange(exchange);
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map(endGroup));
    for (const part of ['p', 's', ...homeLetters.flatMap((letter) => [`r${letter}`, `c${letter}`])]) {
      spawnSync('ip', ['netns', 'del', this.space(part)]);
    }
  }

  #ip(part: string, ...words: string[]): void {
    run(['ip', '-n', this.space(part), ...words]);
  }

  #address(part: string, link: string, ...addresses: string[]): void {
    this.#ip(part, 'link', 'set', link, 'up');
    for (const address of addresses) {
      this.#ip(part, 'address', 'add', address, 'dev', link, ...address.includes(':') ? ['nodad'] : []);
    }
  }

  #forward(part: string): void {
    for (const path of ['ipv4/ip_forward', 'ipv6/conf/all/forwarding']) this.#set(part, path, 1);
  }

  #set(part: string, path: string, value: number): void {
    run(['ip', 'netns', 'exec', this.space(part), 'sh', '-c', `echo ${value} > /proc/sys/net/${path}`]);
  }
}
