/**
 * What vendors do that the RFCs do not say: one entry a quirk, with the vendor, what is seen, and the case that shows
 * it. The conditions are used by the field plan and the message walker; everything else goes by the RFCs.
 */
import type { ExportVersion } from './export-types.ts';
import { ntopEnterprise } from './vendor-elements.ts';
import type { Template } from './template.ts';

export type Quirk = {
  readonly vendor: string;
  readonly symptom: string;
  readonly handling: string;
  /** A folder of the shared cases, or a test beside this file. */
  readonly case: string;
};

export const quirks = {
  twoWayRecords: {
    vendor: 'ntop nProbe', symptom: 'elements 23, 24 and 55 hold the other direction, not the state after a middlebox',
    handling: 'they fill the responder columns where 1 and 2 are there too: always in v9, in IPFIX beside ntop fields',
    case: 'record-reader.test.ts',
  },
  longUptime: {
    vendor: 'Cisco NX-OS, ACI', symptom: '8 bytes of Unix milliseconds in FIRST_SWITCHED and LAST_SWITCHED',
    handling: 'a value above 2^32 is a Unix time', case: 'logstash/netflow-9-cisco-aci',
  },
  zeroFilledTail: {
    vendor: 'Palo Alto PAN-OS', symptom: 'zero bytes up to the size of a large datagram behind the last set',
    handling: 'zero bytes to the end are padding',
    case: 'logstash/netflow-9-palo-alto-1-flowset-in-large-zero-filled-packet',
  },
  variableLengthInVersion9: {
    vendor: 'H3C NetStream', symptom: 'length 65535 in a NetFlow v9 template',
    handling: 'is read as RFC 7011 §7 has it', case: 'logstash/netflow-9-h3c-netstream-with-varstring',
  },
  shortMessageLength: {
    vendor: 'an unnamed exporter', symptom: 'the length of the IPFIX header ends within the last set',
    handling: 'the set is read when it lies in the datagram', case: 'telegraf/issue_14370',
  },
  bothFamilies: {
    vendor: 'Cisco IOS XR with SRv6, Huawei; nProbe', symptom: 'IPv4 and IPv6 addresses in one record',
    handling: 'IPv4 counts where it is not 0.0.0.0 (the carried packet), else IPv6 (the empty half of a template)',
    case: 'pmacct/400-IPFIXv10-BMP-CISCO-SRv6-multiple-sources',
  },
  numbersAfter: {
    vendor: 'softflowd', symptom: 'the number of an IPFIX message counts its own flows, and no options records',
    handling: 'both ways of counting are followed; the one that far more messages fit is the exporter\'s',
    case: 'numbering.test.ts',
  },
  icmpInPort: {
    vendor: 'Cisco and all that follow v5', symptom: 'ICMP type · 256 + code in the destination port',
    handling: 'goes to the ICMP column where the template has no ICMP element; ports of ICMP are 0',
    case: 'record-reader.test.ts',
  },
} as const satisfies Record<string, Quirk>;

/** True when octets 23 and packets 24 of the template are those of the other direction. */
export function hasTwoWayCounters(version: ExportVersion, template: Template): boolean {
  const has = (enterprise: number, elementId: number): boolean =>
    template.fields.some((field) => field.enterprise === enterprise && field.elementId === elementId);
  if (!has(0, 23) || !has(0, 1)) return false;
  return version === 9 || template.fields.some(({ enterprise }) => enterprise === ntopEnterprise);
}

/** True when only zero bytes are left. */
export function isZeroFilled(bytes: Uint8Array, from: number, end: number): boolean {
  for (let i = from; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}
