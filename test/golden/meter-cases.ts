/**
 * The golden cases of the meter: packets, and the flows that the documents ask for, worked out by hand. A person who
 * doubts a number can add it up here: an IPv4 header has 20 octets, TCP's 20, UDP's and ICMP's 8, IPv6's 40.
 */
import type { MeterOptions } from '#flow';
import { encodeCapture, fragmentFrame } from '#sim';
import * as golden from './frames.ts';
import {
  camera, cameraV6, cloud, cloudV6, icmp, printer, router, tcp, udp, type ExpectedFlow, type GoldenFrame,
} from './frames.ts';

export type GoldenCase = {
  readonly name: string;
  readonly file: 'capture.pcap' | 'capture.pcapng';
  readonly capture: Uint8Array;
  readonly options?: Partial<MeterOptions>;
  readonly flows: readonly ExpectedFlow[];
  readonly counts: GoldenCounts;
  /** Two lines: what the case holds, and by which document. */
  readonly why: readonly [string, string];
};

/** What is counted beside the flows. */
export type GoldenCounts = {
  readonly frames: number;
  readonly packets: number;
  readonly rejected: Readonly<Record<string, number>>;
  readonly latePackets: number;
  readonly unresolvedFragments: number;
  /** Codes of the problems of the file, with the byte. */
  readonly problems: readonly (readonly [string, number])[];
};

const fin = 0x01;
const syn = 0x02;
const rst = 0x04;
const psh = 0x08;
const ack = 0x10;
const linkEthernet = 1;
const linkSll = 113;
const linkSll2 = 276;

/** Counts of a capture of which every frame is metered, apart from what is said. */
function counts(frames: number, more: Partial<GoldenCounts> = {}): GoldenCounts {
  const rejected = Object.values(more.rejected ?? {}).reduce((sum, count) => sum + count, 0);
  const none = { rejected: {}, latePackets: 0, unresolvedFragments: 0, problems: [] };
  return { frames, packets: frames - rejected, ...none, ...more };
}

function ethernetCase(
  name: string, frames: readonly GoldenFrame[], rest: Omit<GoldenCase, 'name' | 'file' | 'capture' | 'counts'>,
  more: Partial<GoldenCounts> = {},
): GoldenCase {
  const capture = golden.pcapFile(linkEthernet, frames);
  return { name, file: 'capture.pcap', capture, ...rest, counts: counts(frames.length, more) };
}

const web = [50_000, 443] as const;
const webBack = [443, 50_000] as const;

const tcpOpenClose = ethernetCase('tcp-open-close', [
  tcp(0, camera, cloud, web, syn), tcp(20, cloud, camera, webBack, syn | ack), tcp(40, camera, cloud, web, ack),
  tcp(50, camera, cloud, web, psh | ack, { bytes: 100 }), tcp(70, cloud, camera, webBack, ack),
  tcp(80, camera, cloud, web, fin | ack), tcp(100, cloud, camera, webBack, fin | ack),
  tcp(120, camera, cloud, web, ack),
], {
  flows: [{
    ms: [0, 120], from: camera, to: cloud, ports: web, protocol: 6, packets: [5, 3], octets: [4 * 40 + 140, 3 * 40],
    flags: [fin | syn | psh | ack, fin | syn | ack], reason: 3,
  }],
  why: [
    'A whole TCP exchange is one biflow; the last acknowledgement after both FINs still belongs to it, the end was seen.',
    'RFC 9293 §3.6 (closing), RFC 5103 (biflows), IANA flowEndReason 3.',
  ],
});

const local = [5000, 6000] as const;
const localBack = [6000, 5000] as const;

const timeouts = ethernetCase('timeouts', [
  udp(0, camera, printer, local), udp(3000, camera, printer, local), udp(6000, printer, camera, localBack),
  udp(9000, camera, printer, local),
  // 12 s after the first packet: over the active timeout; the direction is kept though the responder speaks first.
  udp(12_000, printer, camera, localBack),
  // Exactly the idle timeout later is not over it, a millisecond more is.
  udp(16_000, camera, printer, local), udp(20_001, printer, camera, localBack),
], {
  options: { activeTimeoutMs: 10_000, idleTimeoutMs: 4000 },
  flows: [
    {
      ms: [0, 9000], from: camera, to: printer, ports: local, protocol: 17, packets: [3, 1], octets: [114, 38],
      reason: 2,
    },
    {
      ms: [12_000, 16_000], from: camera, to: printer, ports: local, protocol: 17, packets: [1, 1], octets: [38, 38],
      reason: 1,
    },
    {
      ms: [20_001, 20_001], from: printer, to: camera, ports: localBack, protocol: 17, packets: [1, 0],
      octets: [38, 0], reason: 4,
    },
  ],
  why: [
    'The active timeout cuts a flow and keeps its direction; the idle timeout ends it, and the next packet decides anew.',
    'RFC 5470 §5.1.1 (flow expiration), IANA flowEndReason 2, 1 and 4; the timeouts are in options.json.',
  ],
});

const [firstFragment, laterFragment] = fragmentFrame(udp(0, camera, cloud, [7000, 8000], { bytes: 1600, id: 7 }).bytes);
const lostDatagram = fragmentFrame(udp(0, camera, cloud, [7000, 8000], { bytes: 1600, id: 8 }).bytes);

const fragments = ethernetCase('fragments', [
  { ms: 0, bytes: firstFragment as Uint8Array }, { ms: 1, bytes: laterFragment as Uint8Array },
  { ms: 2, bytes: lostDatagram[1] as Uint8Array },
], {
  flows: [
    {
      ms: [0, 1], from: camera, to: cloud, ports: [7000, 8000], protocol: 17, packets: [2, 0],
      octets: [1500 + (20 + 1608 - 1480), 0], reason: 4,
    },
    { ms: [2, 2], from: camera, to: cloud, protocol: 17, packets: [1, 0], octets: [148, 0], reason: 4 },
  ],
  why: [
    'A later fragment has no ports: it gets those of its first; where that was not seen, it is metered with ports 0.',
    'RFC 791 §3.2 (fragmentation); every fragment counts its own IP length.',
  ],
}, { unresolvedFragments: 1 });

const icmpPairs: GoldenCase = {
  name: 'icmp-pairs',
  file: 'capture.pcapng',
  capture: golden.concat(...encodeCapture([
    icmp(0, camera, cloud, 8, 0, 8), icmp(10, cloud, camera, 0, 0, 8), icmp(20, router, camera, 3, 3, 28),
    icmp(30, cameraV6, cloudV6, 128, 0, 8), icmp(40, cloudV6, cameraV6, 129, 0, 8),
  ].map(({ ms, bytes }) => ({ timeMicroseconds: (golden.startMs + ms) * 1000, frame: bytes })), { kind: 'pcapng' })),
  flows: [
    {
      ms: [0, 10], from: camera, to: cloud, protocol: 1, typeCode: [8, 0], packets: [1, 1], octets: [36, 36],
      reason: 4,
    },
    {
      ms: [20, 20], from: router, to: camera, protocol: 1, typeCode: [3, 3], packets: [1, 0], octets: [56, 0],
      reason: 4,
    },
    {
      ms: [30, 40], from: cameraV6, to: cloudV6, protocol: 58, typeCode: [128, 0], packets: [1, 1],
      octets: [56, 56], reason: 4,
    },
  ],
  counts: counts(5),
  why: [
    'Echo and echo reply are one biflow under the type and code of the request; "port unreachable" stands alone.',
    'RFC 792, RFC 4443 §4 (echo), IANA icmpTypeCodeIPv4 and icmpTypeCodeIPv6; ports of ICMP are 0. The file is pcapng.',
  ],
};

const macPair = golden.hex('020000000001 02000000000a');
/** The UDP packet of each framing, told apart by its source port; the bytes before it are written out. */
const framed = (ms: number, port: number, framing: string): GoldenFrame =>
  ({ ms, bytes: golden.concat(macPair, golden.hex(framing), golden.packetOf(udp(ms, camera, cloud, [port, 53]))) });
const framedFlow = (ms: number, port: number, vlan: number): ExpectedFlow =>
  ({
      ms: [ms, ms], from: camera, to: cloud, ports: [port, 53], protocol: 17, packets: [1, 0], octets: [38, 0],
      reason: 4, vlan,
    });

const framings = ethernetCase('framings-vlan-pppoe', [
  framed(0, 5001, '8100 0064 0800'), framed(1, 5002, '88a8 00c8 8100 0064 0800'),
  framed(2, 5003, '8864 1100 0001 0028 0021'), framed(3, 5004, '8100 6007 8864 1100 0001 0028 0021'),
  framed(4, 5005, '8847 00064140'),
  { ms: 5, bytes: golden.concat(macPair, golden.hex(`0806 ${'00'.repeat(28)}`)) },
], {
  flows: [
    framedFlow(0, 5001, 100), framedFlow(1, 5002, 200), framedFlow(2, 5003, 0), framedFlow(3, 5004, 7),
    framedFlow(4, 5005, 0),
  ],
  why: [
    'One VLAN tag, two (the outer one is kept), PPPoE, PPPoE in a VLAN (priority bits are no VLAN id), MPLS; ARP is not IP.',
    'IEEE 802.1Q and 802.1ad, RFC 2516 §4 with RFC 1661, RFC 3032 §2.1; octets are IP\'s alone.',
  ],
}, { rejected: { 'not-ip': 1 } });

/** A cooked header, version 1: incoming, ARPHRD 1, six bytes of address, protocol. */
const cookedHeader = golden.hex('0000 0001 0006 02000000000a 0000 0800');
const cooked: GoldenCase = {
  name: 'framings-sll',
  file: 'capture.pcap',
  capture: golden.pcapFile(linkSll, [
    { ms: 0, bytes: golden.concat(cookedHeader, golden.packetOf(udp(0, camera, cloud, [5001, 53]))) },
    { ms: 1, bytes: golden.concat(golden.hex('0004 0001 0006 02000000000a 0000 86dd'),
      golden.packetOf(udp(1, cameraV6, cloudV6, [5002, 53]))) },
  ]),
  flows: [
    { ...framedFlow(0, 5001, 0), hasMac: false },
    {
      ms: [1, 1], from: cameraV6, to: cloudV6, ports: [5002, 53], protocol: 17, packets: [1, 0],
      octets: [40 + 8 + 10, 0], reason: 4, hasMac: false,
    },
  ],
  counts: counts(2),
  why: [
    'Linux cooked capture, version 1, as "any" interfaces give it: IPv4 and IPv6 behind 16 bytes, no pair of MACs.',
    'LINKTYPE_LINUX_SLL (113) of the link-type registry.',
  ],
};

const cooked2: GoldenCase = {
  name: 'framings-sll2',
  file: 'capture.pcap',
  capture: golden.pcapFile(linkSll2, [
    { ms: 0, bytes: golden.concat(golden.hex('0800 0000 00000002 0001 00 06 02000000000a 0000'),
      golden.packetOf(udp(0, camera, cloud, [5001, 53]))) },
    { ms: 1, bytes: golden.concat(golden.hex('8100 0000 00000002 0001 04 06 02000000000a 0000 0005 0800'),
      golden.packetOf(udp(1, camera, cloud, [5002, 53]))) },
  ]),
  flows: [{ ...framedFlow(0, 5001, 0), hasMac: false }, { ...framedFlow(1, 5002, 5), hasMac: false }],
  counts: counts(2),
  why: [
    'Linux cooked capture, version 2: the protocol stands first, and a VLAN tag may follow the 20 bytes.',
    'LINKTYPE_LINUX_SLL2 (276) of the link-type registry.',
  ],
};

const v6Addresses = `fd00${'0'.repeat(26)}10 20010db8${'0'.repeat(23)}5`;
/** An IPv6 packet. @param rest  everything behind the fixed header, hexadecimal */
function v6Frame(ms: number, nextHeader: string, rest: string): GoldenFrame {
  const behind = golden.hex(rest);
  const length = behind.length.toString(16).padStart(4, '0');
  const header = golden.hex(`86dd 60000000 ${length} ${nextHeader} 40 ${v6Addresses}`);
  return { ms, bytes: golden.concat(macPair, header, behind) };
}

const extensionHeaders = ethernetCase('ipv6-extension-headers', [
  // Hop-by-hop options (next 60), destination options (next 17), UDP 5000 → 53 with 4 bytes.
  v6Frame(0, '00', '3c00 0104 00000000  1100 0104 00000000  1388 0035 000c 0000 01020304'),
  // First fragment (offset 0, more) of UDP 6000 → 7000, then the second at offset 16, which has no header of UDP.
  v6Frame(1, '2c', '1100 0001 00000063  1770 1b58 0016 0000 0102030405060708'),
  v6Frame(2, '2c', '1100 0010 00000063  090a0b0c0d0e'),
], {
  flows: [
    {
      ms: [0, 0], from: cameraV6, to: cloudV6, ports: [5000, 53], protocol: 17, packets: [1, 0],
      octets: [40 + 8 + 8 + 12, 0], reason: 4,
    },
    {
      ms: [1, 2], from: cameraV6, to: cloudV6, ports: [6000, 7000], protocol: 17, packets: [2, 0],
      octets: [40 + 8 + 16 + (40 + 8 + 6), 0], reason: 4,
    },
  ],
  why: [
    'The protocol is the one after the extension headers; fragments find the ports of their first; all octets count.',
    'RFC 8200 §3 and §4.1 to §4.6 (extension headers, fragment header); octets = payload length + 40.',
  ],
});

const tosSplit = ethernetCase('tos-split', [
  udp(0, camera, cloud, local), udp(100, cloud, camera, localBack, { tos: 0x10 }),
  udp(200, camera, cloud, local, { tos: 0x28 }), udp(300, cloud, camera, localBack, { tos: 0x20 }),
  udp(400, camera, cloud, local),
], {
  flows: [
    {
      ms: [0, 400], from: camera, to: cloud, ports: local, protocol: 17, packets: [2, 1], octets: [76, 38],
      tos: [0, 0x10], reason: 4,
    },
    {
      ms: [200, 300], from: camera, to: cloud, ports: local, protocol: 17, packets: [1, 1], octets: [38, 38],
      tos: [0x28, 0x20], reason: 4,
    },
  ],
  why: [
    "The initiator's type of service is part of the flow key, the responder's is not: it goes to the newest flow.",
    'Meidan et al. 2019 §5 (seven key fields); docs/decisions/0006-initiator-key-fields.md.',
  ],
});

const latePackets = ethernetCase('late-packets', [
  // The answer lies before the question in the file: the window of a second turns them round.
  udp(50, printer, camera, localBack), udp(0, camera, printer, local),
  // 9 s comes after 10 s was let go by 20 s: too late for order, not for the flow.
  udp(10_000, camera, cloud, local), udp(20_000, camera, cloud, local), udp(9000, camera, cloud, local),
], {
  flows: [
    {
      ms: [0, 50], from: camera, to: printer, ports: local, protocol: 17, packets: [1, 1], octets: [38, 38],
      reason: 4,
    },
    {
      ms: [9000, 20_000], from: camera, to: cloud, ports: local, protocol: 17, packets: [3, 0], octets: [114, 0],
      reason: 4,
    },
  ],
  why: [
    'Packets out of order within the window are put in order; a later one is counted in its flow at its own time.',
    'IANA flowStartMilliseconds and flowEndMilliseconds: the first and the last packet by their time stamps.',
  ],
}, { latePackets: 1 });

const mirrored = [
  udp(0, camera, cloud, local, { id: 1 }), udp(0.3, camera, cloud, local, { id: 1, hops: 63 }),
  udp(50, camera, cloud, local, { id: 1 }), udp(60, camera, cloud, local, { id: 2 }),
  udp(60.2, camera, cloud, local, { id: 3 }),
];
const mirroredFlow = { from: camera, to: cloud, ports: local, protocol: 17, reason: 4 } as const;

const duplicates = ethernetCase('duplicates', mirrored, {
  flows: [{ ms: [0, 60], ...mirroredFlow, packets: [4, 0], octets: [4 * 38, 0] }],
  why: [
    'A copy within 5 ms (a mirrored port sees a packet before and after routing) is rejected; sent anew, it counts.',
    'docs/decisions/0008-duplicates.md; hop count and header checksum (RFC 1812 §5.2.2) are the only bytes that differ.',
  ],
}, { rejected: { duplicate: 1 } });

const duplicatesKept = ethernetCase('duplicates-kept', mirrored, {
  options: { duplicateWindowMs: 0 },
  flows: [{ ms: [0, 60], ...mirroredFlow, packets: [5, 0], octets: [5 * 38, 0] }],
  why: [
    'The capture of the case "duplicates" with the search for copies off: all five packets count.',
    'docs/decisions/0008-duplicates.md; the window of 0 is in options.json.',
  ],
});

const rstLinger = ethernetCase('rst-linger', [
  tcp(0, camera, cloud, web, syn), tcp(50, cloud, camera, webBack, syn | ack), tcp(200, camera, cloud, web, rst),
  // A second later a stray acknowledgement still belongs to the flow; a new SYN begins another one at once.
  tcp(1200, cloud, camera, webBack, ack), tcp(1500, camera, cloud, web, syn, { sequence: 9 }),
  tcp(1550, cloud, camera, webBack, rst | ack),
  // 2.45 s after the reset the flow is over: what still comes is a flow of its own, with nothing from its initiator.
  tcp(4000, cloud, camera, webBack, ack),
], {
  flows: [
    {
      ms: [0, 1200], from: camera, to: cloud, ports: web, protocol: 6, packets: [2, 2], octets: [80, 80],
      flags: [syn | rst, syn | ack], reason: 3,
    },
    {
      ms: [1500, 1550], from: camera, to: cloud, ports: web, protocol: 6, packets: [1, 1], octets: [40, 40],
      flags: [syn, rst | ack], reason: 3,
    },
    {
      ms: [4000, 4000], from: camera, to: cloud, ports: web, protocol: 6, packets: [0, 1], octets: [0, 40],
      flags: [0, ack], reason: 4,
    },
  ],
  why: [
    'A reset ends the flow; stray packets belong to it for two seconds, unless a SYN begins a new one.',
    'RFC 9293 §3.5.2 (reset), IANA flowEndReason 3; the side inside the home stays the initiator.',
  ],
});

const wholeFrames = [udp(0, camera, cloud, local), udp(10, cloud, camera, localBack)];
const cutFile: GoldenCase = {
  name: 'cut-file',
  file: 'capture.pcap',
  // Two records of 16 + 52 bytes behind a header of 24, and 30 bytes of a third.
  capture: golden.pcapFile(linkEthernet, [...wholeFrames, udp(20, camera, cloud, local)]).subarray(0, 24 + 2 * 68 + 30),
  flows: [{
      ms: [0, 10], from: camera, to: cloud, ports: local, protocol: 17, packets: [1, 1], octets: [38, 38],
      reason: 4,
    }],
  counts: counts(3, { rejected: { 'cut-file': 1 }, problems: [['cut-file', 24 + 2 * 68]] }),
  why: [
    'A file that ends within a record: what lies before it is metered, the rest is one rejected frame with its byte.',
    'draft-ietf-opsawg-pcap §5 (packet record).',
  ],
};

const ipv4 = (text: string): Uint8Array => golden.concat(macPair, golden.hex('0800'), golden.hex(text));
const badHeaders = ethernetCase('bad-headers', [
  // Header length 4 words; total length 19, less than the header; version 5; a header of which 10 bytes were captured.
  { ms: 0, bytes: ipv4('44000026 00000000 40110000 c0a8010a cb007105 13881770 0012 0000') },
  { ms: 1, bytes: ipv4('45000013 00000000 40110000 c0a8010a cb007105 13881770 0012 0000') },
  { ms: 2, bytes: ipv4('55000026 00000000 40110000 c0a8010a cb007105 13881770 0012 0000') },
  { ms: 3, bytes: ipv4('45000026 00000000 4011'), wireBytes: 52 },
  // Captured with 28 bytes of IP: the length of 1500 is the header's. And a length of 0, as before segmentation.
  { ms: 4, bytes: ipv4('450005dc 00010000 40110000 c0a8010a cb007105 13881770 05c8 0000'), wireBytes: 1514 },
  { ms: 5, bytes: ipv4('45000000 00020000 40110000 c0a8010a cb007105 13881770 0008 0000') },
], {
  flows: [{
      ms: [4, 5], from: camera, to: cloud, ports: local, protocol: 17, packets: [2, 0], octets: [1500 + 28, 0],
      reason: 4,
    }],
  why: [
    'Headers that cannot be are rejected and counted; octets are the header\'s length, never the captured one, if it is told.',
    'RFC 791 §3.1 (version, IHL, total length).',
  ],
}, { rejected: { 'bad-ip-header': 3, 'cut-ip-header': 1 } });

export const meterCases: readonly GoldenCase[] = [
  tcpOpenClose, timeouts, fragments, icmpPairs, framings, cooked, cooked2, extensionHeaders, tosSplit, latePackets,
  duplicates, duplicatesKept, rstLinger, cutFile, badHeaders,
];
