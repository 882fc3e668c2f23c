/** Every link type and encapsulation by frames made by hand; any bytes give a row within the frame, or a reason. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '#base';
import { concat, ethernet, frameArp, hex, macPair, packetIPv4, packetIPv6 } from './capture-samples.ts';
import {
  appendFrame, frameCutLinkHeader, frameNotIp, frameUnknownLinkType, rowAppended,
} from './link-layer.ts';
import { createPacketBatch, noLinkHeader, type PacketBatch } from './packet-batch.ts';

/** Bytes before the frame, so that wrong offsets show. */
const before = hex('aabbccddee');

function append(linkType: number, frame: Uint8Array): { outcome: number; batch: PacketBatch } {
  const batch = createPacketBatch(1);
  batch.data = concat(before, frame, hex('99999999'));
  return { outcome: appendFrame(batch, linkType, before.length, before.length + frame.length), batch };
}

type Case = readonly [name: string, linkType: number, head: string, version: 4 | 6, vlanId?: number];

const mac = Buffer.from(macPair).toString('hex');
const sll = (hardware: string, protocol: string): string => `0000 ${hardware} 0006 0200000000010000 ${protocol}`;
const sll2 = (protocol: string): string => `${protocol} 0000 00000002 0001 00 06 0200000000010000`;

const carryIp: readonly Case[] = [
  ['Ethernet', 1, `${mac} 0800`, 4],
  ['Ethernet', 1, `${mac} 86dd`, 6],
  ['802.1Q', 1, `${mac} 8100 e005 0800`, 4, 5],
  ['802.1Q, the largest id', 1, `${mac} 8100 0fff 86dd`, 6, 4095],
  ['802.1Q priority tag', 1, `${mac} 8100 e000 0800`, 4, 0],
  ['QinQ: the outer id counts', 1, `${mac} 88a8 0064 8100 0007 0800`, 4, 100],
  ['QinQ before 802.1ad', 1, `${mac} 9100 0064 8100 0007 86dd`, 6, 100],
  ['three tags', 1, `${mac} 88a8 0001 8100 0002 8100 0003 0800`, 4, 1],
  ['PPPoE', 1, `${mac} 8864 11 00 0001 0022 0021`, 4],
  ['PPPoE', 1, `${mac} 8864 11 00 0001 0036 0057`, 6],
  ['PPPoE in a VLAN', 1, `${mac} 8100 0007 8864 11 00 0001 0022 0021`, 4, 7],
  ['MPLS', 1, `${mac} 8847 00001140`, 4],
  ['MPLS, three labels', 1, `${mac} 8847 00001040 00002040 00003140`, 6],
  ['MPLS multicast', 1, `${mac} 8848 00001140`, 6],
  ['SNAP', 1, `${mac} 0028 aaaa03 000000 0800`, 4],
  ['SNAP', 1, `${mac} 003c aaaa03 000000 86dd`, 6],
  ['SNAP of a bridge tunnel', 1, `${mac} 0028 aaaa03 0000f8 0800`, 4],
  ['SNAP in a VLAN', 1, `${mac} 8100 0009 0028 aaaa03 000000 0800`, 4, 9],
  ['jumbo LLC', 1, `${mac} 8870 aaaa03 000000 0800`, 4],
  ['LLC with the SAP of IP', 1, `${mac} 0023 060603`, 4],
  ['BSD loopback, little', 0, '02000000', 4],
  ['BSD loopback, big', 0, '00000002', 4],
  ['NetBSD IPv6', 0, '18000000', 6],
  ['FreeBSD IPv6, big', 0, '0000001c', 6],
  ['macOS IPv6', 0, '1e000000', 6],
  ['OpenBSD loopback', 108, '00000018', 6],
  ['PPP', 9, '0021', 4],
  ['PPP with address and control', 9, 'ff03 0057', 6],
  ['PPP, short protocol', 9, '21', 4],
  ['PPP, short protocol behind address and control', 9, 'ff03 57', 6],
  ['PPP with MPLS', 9, '0281 00001140', 4],
  ['PPP link type, Cisco HDLC inside', 9, '0f00 0800', 4],
  ['PPP in HDLC framing', 50, 'ff03 0021', 4],
  ['PPP in HDLC framing without it', 50, '0021', 4],
  ['Cisco HDLC multicast', 50, '8f00 86dd', 6],
  ['Cisco HDLC', 104, '0f00 0800', 4],
  ['Cisco HDLC with MPLS', 104, '0f00 8847 00001140', 4],
  ['PPPoE link type', 51, '11 00 0001 0022 0021', 4],
  ['raw', 101, '', 4],
  ['raw', 101, '', 6],
  ['raw, BSD', 12, '', 4],
  ['raw, OpenBSD', 14, '', 6],
  ['IPv4 link type', 228, '', 4],
  ['IPv6 link type', 229, '', 6],
  ['Linux cooked', 113, sll('0001', '0800'), 4],
  ['Linux cooked', 113, sll('0304', '86dd'), 6],
  ['Linux cooked with a VLAN', 113, `${sll('0001', '8100')} 0021 0800`, 4, 33],
  ['Linux cooked, 802.2', 113, `${sll('0001', '0004')} aaaa03 000000 0800`, 4],
  ['Linux cooked 2', 276, sll2('0800'), 4],
  ['Linux cooked 2', 276, sll2('86dd'), 6],
  ['Linux cooked 2 with a VLAN', 276, `${sll2('88a8')} 0021 8100 0002 86dd`, 6, 33],
  ['PPI with Ethernet', 192, `00 00 0c00 01000000 ffffffff ${mac} 0800`, 4],
];

for (const [name, linkType, head, version, vlanId = 0] of carryIp) {
  test(`${name}, IPv${version} (link type ${linkType})`, () => {
    const packet = version === 4 ? packetIPv4 : packetIPv6;
    const headBytes = hex(head);
    const { outcome, batch } = append(linkType, concat(headBytes, packet));
    assert.equal(outcome, rowAppended);
    assert.equal(batch.rowCount, 1);
    assert.equal(batch.networkOffset[0], before.length + headBytes.length);
    assert.equal(batch.networkBytes[0], packet.length);
    assert.equal(batch.ipVersion[0], version);
    assert.equal(batch.vlanId[0], vlanId);
    const macAt = head.indexOf(mac) < 0 ? -1 : hex(head.slice(0, head.indexOf(mac))).length;
    assert.equal(batch.linkOffset[0], macAt < 0 ? noLinkHeader : before.length + macAt);
  });

  const headBytes = hex(head);
  if (headBytes.length === 0) continue;
  test(`${name}, IPv${version} (link type ${linkType}): cut anywhere in its header`, () => {
    for (let length = 0; length < headBytes.length; length++) {
      const { outcome, batch } = append(linkType, headBytes.subarray(0, length));
      assert.notEqual(outcome, rowAppended, `cut to ${length} bytes`);
      assert.equal(batch.rowCount, 0);
    }
  });
}

const rejections: readonly (readonly [name: string, linkType: number, frame: Uint8Array, outcome: number])[] = [
  ['ARP', 1, frameArp, frameNotIp],
  ['ARP in a VLAN', 1, ethernet('8100 0001 0806', packetIPv4), frameNotIp],
  ['spanning tree', 1, ethernet('0026 424203', packetIPv4), frameNotIp],
  ['Novell', 1, ethernet('0026 ffff', packetIPv4), frameNotIp],
  ['SNAP of another organisation', 1, ethernet('0028 aaaa03 00000c 0800', packetIPv4), frameNotIp],
  ['SNAP with ARP', 1, ethernet('0028 aaaa03 000000 0806', packetIPv4), frameNotIp],
  ['PPPoE discovery', 1, ethernet('8863 11 09 0000 0000', packetIPv4), frameNotIp],
  ['PPPoE, not in a session', 1, ethernet('8864 11 65 0000 0022 0021', packetIPv4), frameNotIp],
  ['PPP link control', 9, concat(hex('c021'), packetIPv4), frameNotIp],
  ['MPLS with a control word', 1, ethernet('8847 00001140 00000000', packetIPv4), frameNotIp],
  ['an address family of nobody', 0, concat(hex('07000000'), packetIPv4), frameNotIp],
  ['an address family above 16 bits', 0, concat(hex('02000100'), packetIPv4), frameNotIp],
  ['raw with another version', 101, hex('50000000'), frameNotIp],
  ['netlink in Linux cooked', 113, concat(hex(sll('0338', '0800')), packetIPv4), frameNotIp],
  ['802.3 in Linux cooked', 113, concat(hex(sll('0001', '0001')), packetIPv4), frameNotIp],
  ['Ethernet, 13 bytes', 1, hex(`${mac} 08`), frameCutLinkHeader],
  ['raw, nothing', 101, hex(''), frameCutLinkHeader],
  ['PPI shorter than it says', 192, hex('00 00 0c00 01000000 ffff'), frameCutLinkHeader],
  ['PPI in PPI', 192, hex('00 00 0800 c0000000 00 00 0800 01000000'), frameUnknownLinkType],
  ['802.11', 105, packetIPv4, frameUnknownLinkType],
  ['radiotap', 127, packetIPv4, frameUnknownLinkType],
];

for (const [name, linkType, frame, expected] of rejections) {
  test(`not handed on: ${name}`, () => {
    const { outcome, batch } = append(linkType, frame);
    assert.equal(outcome, expected);
    assert.equal(batch.rowCount, 0);
  });
}

test('tags and labels are taken off up to their limit, not beyond', () => {
  const tags = (count: number): Uint8Array => ethernet(`${'8100 0001 '.repeat(count)} 0800`, packetIPv4);
  assert.equal(append(1, tags(limits.linkTagsMax)).outcome, rowAppended);
  assert.equal(append(1, tags(limits.linkTagsMax + 1)).outcome, frameNotIp);
  const labels = (count: number): Uint8Array => ethernet(`8847 ${'00001040'.repeat(count - 1)} 00001140`, packetIPv4);
  assert.equal(append(1, labels(limits.linkTagsMax)).outcome, rowAppended);
  assert.equal(append(1, labels(limits.linkTagsMax + 1)).outcome, frameNotIp);
});

test('a version that differs from the announced one is handed on as announced', () => {
  const { outcome, batch } = append(1, ethernet('0800', packetIPv6));
  assert.equal(outcome, rowAppended);
  assert.equal(batch.ipVersion[0], 4);
});

test('property: any bytes of any link type give a row inside the frame, or a reason', () => {
  const linkTypes = [0, 1, 9, 12, 14, 50, 51, 101, 104, 108, 113, 192, 228, 229, 276, 105, 65_535];
  const pieces = carryIp.map(([, , head]) => hex(head));
  const bytes = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.uint8Array({ maxLength: 24 })), { maxLength: 6 })
    .map((parts) => concat(...parts));
  fc.assert(fc.property(fc.constantFrom(...linkTypes), bytes, (linkType, frame) => {
    const { outcome, batch } = append(linkType, frame);
    const end = before.length + frame.length;
    assert.ok(outcome >= 0 && outcome <= 3);
    assert.equal(batch.rowCount, outcome === rowAppended ? 1 : 0);
    if (outcome !== rowAppended) return;
    assert.ok(batch.networkOffset[0] >= before.length);
    assert.equal(batch.networkOffset[0] + batch.networkBytes[0], end);
    assert.ok(batch.linkOffset[0] === noLinkHeader || batch.linkOffset[0] + 14 <= batch.networkOffset[0]);
  }), { numRuns: 3000 });
});
