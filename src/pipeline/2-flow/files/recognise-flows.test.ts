/** Kinds of files by their first bytes, and what is none of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { recogniseFlows, type FlowFileKind } from './recognise-flows.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const known: [string, FlowFileKind][] = [
  ['PAR1\u0015\u0000', 'parquet'],
  ['flowStartMilliseconds,flowEndMilliseconds,ipVersion,sourceAddress,destinationAddress\n1,2,4', 'csv'],
  ['\ufeffprotocolIdentifier,"sourceAddress",destinationAddress,mine\r\n', 'csv'],
  ['{"flowStartMilliseconds":1,"protocolIdentifier":6}\n{', 'jsonl'],
  ['{"flowStartMilliseconds":1,"flowEndMilliseconds":2,"protocolIdentifier":6,"sourceAdd', 'jsonl'],
  ['IPV4_SRC_ADDR|IPV4_DST_ADDR|IN_BYTES|X\n', 'nprobe'],
  ['%IPV4_SRC_ADDR,%IPV4_DST_ADDR,%IN_BYTES\n', 'nprobe'],
  ['IN_PKTS\tPROTOCOL\tL7_PROTO_NAME', 'nprobe'],
  ['device_model,FIRST_SWITCHED,LAST_SWITCHED,IN_BYTES\n', 'iot-denat'],
  ['#separator \\x09\n#set_separator\t,', 'zeek'],
  ['#fields\tts\tuid', 'zeek'],
  ['\n{"ts":1,"uid":"C","id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2"}\n', 'zeek-json'],
];

test('every kind is known by its head', () => {
  for (const [text, kind] of known) assert.equal(recogniseFlows(bytes(text)), kind, text);
});

test('other things are not', () => {
  const others = [
    '', '\n\n', 'hello world\n', 'a,b,c\n1,2,3\n', 'IPV4_SRC_ADDR,b,c', '# a comment\n', '{"a":1}', '[1,2]',
      '#separate\n',
    'time,source,destination,protocol', '<html>', 'PAR', '{"flowStartMilliseconds":1}',
      'IN_BYTES|IN_PKTS|PROTO\u0000COL|OUT_BYTES|OUT_PKTS',
  ];
  for (const text of others) assert.equal(recogniseFlows(bytes(text)), undefined, text);
  assert.equal(recogniseFlows(Uint8Array.of(0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0)), undefined,
    'a capture is no flow file');
});

test('no bytes make it throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (head) => { recogniseFlows(head); }));
  fc.assert(fc.property(fc.constantFrom(...known), fc.nat(80), fc.nat(255), ([text], at, byte) => {
    const head = bytes(text);
    if (at < head.length) head[at] = byte;
    recogniseFlows(head);
    recogniseFlows(head.subarray(0, at));
  }));
});
