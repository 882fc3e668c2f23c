/**
 * NetFlow v5 (Cisco, "NetFlow Export Datagram Format", tables B-3 and B-4): a header of 24 bytes, records of 48. The
 * record is written out field by field here, so that every column is seen to come from its own place.
 */
import { ip, join, type Part, u16, u32, u8 } from '../../../src/pipeline/2-flow/decode/message-samples.ts';
import { type ExportCaseSpec, startSeconds } from './case.ts';

type Header5 = { count: number; uptimeMs: number; sequence: number; engine?: number; sampling?: number };

/** Nanoseconds are 250,000,000: a quarter of a second after `startSeconds`. */
const header5 = ({ count, uptimeMs, sequence, engine = 0, sampling = 0 }: Header5): Part => join(
  u16(5), u16(count), u32(uptimeMs), u32(startSeconds), u32(250_000_000), u32(sequence), u16(engine), u16(sampling));

const web = join(
  ip('192.168.1.10'), ip('203.0.113.5'), ip('192.168.1.1'), u16(3), u16(4), u32(12), u32(3456), u32(990_000),
  u32(995_500), u16(50_000), u16(443), u8(0), u8(0x1b), u8(6), u8(0x28), u16(64_500), u16(64_501), u8(24), u8(16),
  u16(0));
const ping = join(
  ip('192.168.1.10'), ip('203.0.113.5'), ip('0.0.0.0'), u16(3), u16(4), u32(2), u32(168), u32(999_000), u32(999_900),
  u16(0), u16(0x0800), u8(0), u8(0), u8(1), u8(0), u16(0), u16(0), u8(0), u8(0), u16(0));

const addresses = { from: '192.168.1.10', to: '203.0.113.5', domain: 0x0102 } as const;
const webRow = {
  ...addresses, ms: [250 - 10_000, 250 - 4500], protocol: 6, ports: [50_000, 443], packets: 12, octets: 3456,
  more: { tcpControlBits: 0x1b, ipClassOfService: 0x28, ingressInterface: 3, egressInterface: 4 },
} as const;
const pingRow = {
  ...addresses, ms: [250 - 1000, 250 - 100], protocol: 1, packets: 2, octets: 168,
  more: { icmpTypeCodeIPv4: 0x0800, ingressInterface: 3, egressInterface: 4 },
} as const;

export const netflow5Cases: readonly ExportCaseSpec[] = [
  {
    name: 'v5-whole',
    sent: [
      { bytes: join(header5({ count: 2, uptimeMs: 1_000_000, sequence: 700, engine: 0x0102 }), web, ping) },
      { bytes: join(header5({ count: 1, uptimeMs: 1_000_000, sequence: 702, engine: 0x0102 }), web) },
    ],
    rows: [webRow, pingRow, webRow],
    domains: [{ version: 5, domain: 0x0102 }],
    why: [
      'Every field of NetFlow v5 in its place; ICMP type and code are in the destination port; engine type and id are the domain.',
      'Cisco, NetFlow Export Datagram Format, tables B-3 and B-4: uptime and UNIX seconds with nanoseconds are one instant.',
    ],
  },
  {
    name: 'v5-one-datagram',
    kind: 'nf5',
    sent: [{ bytes: join(header5({ count: 1, uptimeMs: 1_000_000, sequence: 1 }), web) }],
    rows: [{ ...webRow, domain: 0 }],
    domains: [{ version: 5 }],
    why: [
      'A file that is one bare datagram of NetFlow v5: who sent it is not known, the rows are the same.',
      'Cisco, NetFlow Export Datagram Format, table B-3: 24 + count × 48 bytes are the datagram.',
    ],
  },
  ...[false, true].map((renormalise): ExportCaseSpec => ({
    name: renormalise ? 'v5-sampling-renormalised' : 'v5-sampling',
    // Mode 01 (deterministic) in the upper two bits, one packet of 100 in the others.
    sent: [{ bytes: join(header5({ count: 1, uptimeMs: 1_000_000, sequence: 1, sampling: 0x4000 | 100 }), web) }],
    rows: [{ ...webRow, domain: 0, ...(renormalise ? { packets: 1200, octets: 345_600 } : {}) }],
    domains: [{ version: 5, samplingInterval: 100 }],
    ...(renormalise ? { options: { renormalise } } : {}),
    why: [
      renormalise ? 'Asked to, natlens multiplies sampled counters by the interval of the header: 12 packets of 1 in 100 are 1200.'
        : 'A sampling interval in the header is told, and the counters stay as they were sent: never scaled silently.',
      'Cisco, NetFlow Export Datagram Format, table B-3: sampling_interval, two bits of mode and fourteen of interval.',
    ],
  })),
  {
    name: 'v5-uptime-wrap',
    // The clock wrapped 1 s before the export: 2^32 ms is 0 again. The last packet came while the datagram was written.
    sent: [{
      bytes: join(header5({ count: 2, uptimeMs: 1000, sequence: 0 }),
        join(web.subarray(0, 24), u32(0xffff_ff00), u32(900), web.subarray(32)),
        join(web.subarray(0, 24), u32(0xffff_fffe), u32(1040), web.subarray(32))),
    }],
    rows: [
      { ...webRow, domain: 0, ms: [250 - 1000 - 256, 250 - 100] },
      { ...webRow, domain: 0, ms: [250 - 1000 - 2, 250 + 40] },
    ],
    domains: [{ version: 5 }],
    why: [
      'Uptimes just before the wrap of 2^32 ms lie before the export, not 49 days after it; one may be a little after.',
      'Cisco, table B-4 (First, Last: SysUptime in milliseconds, 32 bits); RFC 3954 §5.1 has the same clock.',
    ],
  },
];
