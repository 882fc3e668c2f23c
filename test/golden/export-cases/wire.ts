/**
 * What several export cases send: the usual fields and values, and headers of NetFlow v9 with a true count of records
 * (RFC 3954 §5.1: template and data records), which the samples of the decoder's own tests do not care for.
 */
import {
  type FieldSpec, type HeaderSpec, ip, join, message9, type Part, u16, u32, u8,
} from '../../../src/pipeline/2-flow/decode/message-samples.ts';

/** Addresses, ports, protocol, packets and octets, as most exporters send them. */
export const usualFields: readonly FieldSpec[] = [[8, 4], [12, 4], [7, 2], [11, 2], [4, 1], [2, 4], [1, 4]];

export type UsualFlow = { readonly from: string; readonly to: string; readonly ports: readonly [number, number];
  readonly protocol: number; readonly packets: number; readonly octets: number };

/** A record of `usualFields`: 21 bytes. */
export const usualRecord = ({ from, to, ports, protocol, packets, octets }: UsualFlow): Uint8Array =>
  join(ip(from), ip(to), u16(ports[0]), u16(ports[1]), u8(protocol), u32(packets), u32(octets));

/** The first, second, … flow of a case: none is like another. */
export const usualFlow = (index: number): UsualFlow => ({
  from: `192.168.1.${10 + index}`, to: `203.0.113.${5 + index}`, ports: [50_000 + index, 443], protocol: 6,
  packets: 10 + index, octets: 1000 + index,
});

/** A NetFlow v9 message that counts its records. */
export const counted9 = (count: number, header: HeaderSpec, ...sets: readonly Part[]): Uint8Array => {
  const message = message9(header, ...sets);
  message.set(u16(count), 2);
  return message;
};
