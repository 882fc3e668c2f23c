/** Small export messages of every kind, to start a fuzzer from where no recorded ones are at hand. */
import {
  type FieldSpec, ip, message10, message5, message9, optionsTemplate10, optionsTemplate9, rfc7011Fields,
  rfc7011Records, set, template, text, u16, u32, u64, u8,
} from '../../src/pipeline/2-flow/decode/message-samples.ts';
import type { Corpus } from './export-mutator.ts';

/** An element of most kinds of columns. */
const every: FieldSpec[] = [[8, 4], [12, 4], [27, 16], [28, 16], [1, 8], [2, 3], [22, 4], [21, 4], [154, 8], [7, 2],
  [11, 2], [4, 1], [95, 4], [57, 6], [239, 1]];

export const exportSamples: Corpus = [
  message10({ sequence: 3 }, set(2, template(256, rfc7011Fields)), set(256, rfc7011Records)),
  message10({ sequence: 6 }, set(256, rfc7011Records)),
  message10({}, set(2, template(300, [[119, 65_535, 35_632], [8, 4], [291, 65_535], [1, 4, 29_305]])),
    set(300, u8(3), text('DNS'), ip('192.0.2.1'), u8(4), u32(1), u32(7))),
  message10({}, set(3, optionsTemplate10(301, 1, [[149, 4], [160, 8], [34, 4]])), set(301, u32(0), u64(1), u32(9))),
  message9({}, set(0, template(302, every)), set(302, new Uint8Array(160).fill(17))),
  message9({ sequence: 1 }, set(302, new Uint8Array(154).fill(23))),
  message9({}, set(1, optionsTemplate9(303, [[1, 4]], [[95, 4], [96, 8]])), set(303, u32(1), u32(2), text('web', 8))),
  message5({ sampling: 10 }, [1, 2, 3].map((last) => ({ source: '192.0.2.1', destination: `192.0.2.${last}`, packets: 1,
    octets: 2, firstMs: 3, lastMs: 4, ports: [5, 6], protocol: 1 }))),
  message10({}, set(2, u16(2), u16(0), u16(256), u16(0))),
];
