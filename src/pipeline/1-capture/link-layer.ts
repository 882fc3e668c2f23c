/**
 * Takes the link layer off a frame: finds the IP header, its announced version, the MAC pair and the VLAN.
 * Follows the LINKTYPE registry (draft-ietf-opsawg-pcaplinktype) and the documents named at each encapsulation.
 * Never looks at or above IP, except at the version nibble where the link layer announces none.
 */
import { limits } from '#base';
import { noLinkHeader, type PacketBatch } from './packet-batch.ts';

/** What became of a frame. */
export const rowAppended = 0;
export const frameNotIp = 1;
export const frameCutLinkHeader = 2;
export const frameUnknownLinkType = 3;

/** Link types (LINKTYPE registry); the doubles are values that BSD systems write for the same thing. */
const linkNull = 0;
const linkEthernet = 1;
const linkPpp = 9;
const linkRawBsd = 12;
const linkRawOpenBsd = 14;
const linkPppHdlc = 50;
const linkPppEther = 51;
const linkRaw = 101;
const linkCiscoHdlc = 104;
const linkLoop = 108;
const linkLinuxSll = 113;
const linkPpi = 192;
const linkIPv4 = 228;
const linkIPv6 = 229;
const linkLinuxSll2 = 276;

/** EtherTypes (IEEE registry). */
const etherIPv4 = 0x0800;
const etherIPv6 = 0x86dd;
const etherMplsUnicast = 0x8847;
const etherMplsMulticast = 0x8848;
const etherPppoeSession = 0x8864;
/** An 802.2 frame too long for a length field. */
const etherJumboLlc = 0x8870;

const ethernetHeaderBytes = 14;

/**
 * Appends a frame as row `batch.rowCount` if it carries IP. The caller has already put its `timeMicroseconds` and
 * `interfaceIndex` into that row (measured: handed over as arguments, the time would be an object per frame), and has
 * made sure that there is room.
 *
 * @param batch     `data` holds the frame; columns of the row and `rowCount` are written
 * @param linkType  LINKTYPE of the frame
 * @param start     offset of the frame in `batch.data`
 * @param end       offset behind its last captured byte
 * @returns `rowAppended`, or why not
 */
export function appendFrame(batch: PacketBatch, linkType: number, start: number, end: number): number {
  if (linkType === linkEthernet && end - start >= ethernetHeaderBytes) {
    const data = batch.data;
    const etherType = (data[start + 12] << 8) | data[start + 13];
    if (etherType === etherIPv4) return appendRow(batch, start + ethernetHeaderBytes, end, 4, start, 0);
    return takeEtherType(batch, etherType, start + ethernetHeaderBytes, end, start);
  }
  return takeLink(batch, linkType, start, end);
}

function appendRow(
  batch: PacketBatch, at: number, end: number, ipVersion: number, linkOffset: number, vlanId: number,
): number {
  const row = batch.rowCount;
  batch.networkOffset[row] = at;
  batch.networkBytes[row] = end - at;
  batch.ipVersion[row] = ipVersion;
  batch.linkOffset[row] = linkOffset;
  batch.vlanId[row] = vlanId;
  batch.rowCount = row + 1;
  return rowAppended;
}

function takeLink(batch: PacketBatch, linkType: number, start: number, end: number): number {
  switch (linkType) {
    case linkEthernet: return frameCutLinkHeader;
    case linkNull: case linkLoop: return takeLoopback(batch, start, end);
    case linkRaw: case linkRawBsd: case linkRawOpenBsd: return takeRaw(batch, start, end, 0, noLinkHeader);
    case linkIPv4: return appendRow(batch, start, end, 4, noLinkHeader, 0);
    case linkIPv6: return appendRow(batch, start, end, 6, noLinkHeader, 0);
    case linkLinuxSll: return takeCooked(batch, start, end, 16, 2, 14);
    case linkLinuxSll2: return takeCooked(batch, start, end, 20, 8, 0);
    case linkPpp: case linkPppHdlc: case linkCiscoHdlc: return takeHdlc(batch, linkType, start, end);
    case linkPppEther: return takePppoe(batch, start, end, noLinkHeader, 0);
    case linkPpi: return takePpi(batch, start, end);
    default: return frameUnknownLinkType;
  }
}

/**
 * What follows an EtherType: IP, or an encapsulation of it.
 *
 * @param at          offset behind the EtherType
 * @param linkOffset  offset of the MAC pair, or `noLinkHeader`
 */
function takeEtherType(batch: PacketBatch, etherType: number, at: number, end: number, linkOffset: number): number {
  const data = batch.data;
  let type = etherType;
  let vlanId = 0;
  for (let tagCount = 0; isVlanTag(type); tagCount++) {
    if (tagCount === limits.linkTagsMax) return frameNotIp;
    if (end - at < 4) return frameCutLinkHeader;
    if (tagCount === 0) vlanId = ((data[at] & 0x0f) << 8) | data[at + 1];
    type = (data[at + 2] << 8) | data[at + 3];
    at += 4;
  }
  switch (type) {
    case etherIPv4: return appendRow(batch, at, end, 4, linkOffset, vlanId);
    case etherIPv6: return appendRow(batch, at, end, 6, linkOffset, vlanId);
    case etherPppoeSession: return takePppoe(batch, at, end, linkOffset, vlanId);
    case etherMplsUnicast: case etherMplsMulticast: return takeMpls(batch, at, end, linkOffset, vlanId);
    case etherJumboLlc: return takeLlc(batch, at, end, linkOffset, vlanId);
    default: return type <= 1500 ? takeLlc(batch, at, end, linkOffset, vlanId) : frameNotIp;
  }
}

/** IEEE 802.1Q, 802.1ad, and the value that was used for the outer tag before 802.1ad. */
function isVlanTag(etherType: number): boolean {
  return etherType === 0x8100 || etherType === 0x88a8 || etherType === 0x9100;
}

/** IEEE 802.2: SNAP (RFC 1042) with an EtherType, or the SAP of IP (RFC 1010's assigned 6). */
function takeLlc(batch: PacketBatch, at: number, end: number, linkOffset: number, vlanId: number): number {
  const data = batch.data;
  if (end - at < 3) return frameCutLinkHeader;
  if (data[at] === 0x06 && data[at + 1] === 0x06 && data[at + 2] === 0x03) {
    return appendRow(batch, at + 3, end, 4, linkOffset, vlanId);
  }
  if (data[at] !== 0xaa || data[at + 1] !== 0xaa || data[at + 2] !== 0x03) return frameNotIp;
  if (end - at < 8) return frameCutLinkHeader;
  const organisation = (data[at + 3] << 16) | (data[at + 4] << 8) | data[at + 5];
  // 00-00-F8 is the bridge-tunnel encapsulation of IEEE 802.1H; its types are EtherTypes too.
  if (organisation !== 0 && organisation !== 0x0000f8) return frameNotIp;
  const type = (data[at + 6] << 8) | data[at + 7];
  if (type === etherIPv4) return appendRow(batch, at + 8, end, 4, linkOffset, vlanId);
  return type === etherIPv6 ? appendRow(batch, at + 8, end, 6, linkOffset, vlanId) : frameNotIp;
}

/** RFC 2516 §4: six bytes of header, code 0 in a session, then PPP. */
function takePppoe(batch: PacketBatch, at: number, end: number, linkOffset: number, vlanId: number): number {
  if (end - at < 6) return frameCutLinkHeader;
  if (batch.data[at + 1] !== 0) return frameNotIp;
  return takePpp(batch, at + 6, end, linkOffset, vlanId);
}

/** RFC 1661 §2 and RFC 1662 §3.1: address and control may be left out, and so may the protocol's leading zero. */
function takePpp(batch: PacketBatch, start: number, end: number, linkOffset: number, vlanId: number): number {
  const data = batch.data;
  let at = start;
  if (end - at >= 2 && data[at] === 0xff && data[at + 1] === 0x03) at += 2;
  if (end - at < 1) return frameCutLinkHeader;
  let protocol = data[at++];
  if ((protocol & 1) === 0) {
    if (end - at < 1) return frameCutLinkHeader;
    protocol = (protocol << 8) | data[at++];
  }
  switch (protocol) {
    case 0x0021: return appendRow(batch, at, end, 4, linkOffset, vlanId);
    case 0x0057: return appendRow(batch, at, end, 6, linkOffset, vlanId);
    case 0x0281: case 0x0283: return takeMpls(batch, at, end, linkOffset, vlanId);
    default: return frameNotIp;
  }
}

/**
 * PPP (RFC 1661, RFC 1662), or Cisco's HDLC: address 0x0f or 0x8f, control, EtherType. Captures of either link type
 * hold both; the first byte tells.
 */
function takeHdlc(batch: PacketBatch, linkType: number, start: number, end: number): number {
  const data = batch.data;
  if (end <= start) return frameCutLinkHeader;
  const address = data[start];
  const isCisco = address === 0x0f || address === 0x8f || (linkType === linkCiscoHdlc && address !== 0xff);
  if (!isCisco) return takePpp(batch, start, end, noLinkHeader, 0);
  if (end - start < 4) return frameCutLinkHeader;
  return takeEtherType(batch, (data[start + 2] << 8) | data[start + 3], start + 4, end, noLinkHeader);
}

/** RFC 3032 §2.1: labels to the bottom of the stack; what follows is told by its first nibble (RFC 4928 §3). */
function takeMpls(batch: PacketBatch, start: number, end: number, linkOffset: number, vlanId: number): number {
  const data = batch.data;
  let at = start;
  for (let labelCount = 0; labelCount < limits.linkTagsMax; labelCount++) {
    if (end - at < 4) return frameCutLinkHeader;
    const isBottom = (data[at + 2] & 1) === 1;
    at += 4;
    if (isBottom) return takeRaw(batch, at, end, vlanId, linkOffset);
  }
  return frameNotIp;
}

/** IP without anything before it: the version nibble tells. */
function takeRaw(batch: PacketBatch, at: number, end: number, vlanId: number, linkOffset: number): number {
  if (end <= at) return frameCutLinkHeader;
  const version = batch.data[at] >>> 4;
  return version === 4 || version === 6 ? appendRow(batch, at, end, version, linkOffset, vlanId) : frameNotIp;
}

/** BSD loopback: the address family in the byte order of whoever captured, so both are tried. */
function takeLoopback(batch: PacketBatch, start: number, end: number): number {
  const data = batch.data;
  if (end - start < 4) return frameCutLinkHeader;
  const isLowFirst = data[start + 2] === 0 && data[start + 3] === 0;
  const isHighFirst = data[start] === 0 && data[start + 1] === 0;
  if (!isLowFirst && !isHighFirst) return frameNotIp;
  const family = isLowFirst ? data[start] | (data[start + 1] << 8) : (data[start + 2] << 8) | data[start + 3];
  switch (family) {
    case 2: return appendRow(batch, start + 4, end, 4, noLinkHeader, 0);
    // AF_INET6 of OpenBSD and NetBSD, FreeBSD, and macOS.
    case 24: case 28: case 30: return appendRow(batch, start + 4, end, 6, noLinkHeader, 0);
    default: return frameNotIp;
  }
}

/** ARPHRD_NETLINK: the protocol field is a netlink family then. */
const hardwareNetlink = 824;

/**
 * Linux cooked capture, version 1 and 2.
 *
 * @param headerBytes     16 or 20
 * @param hardwareAt      offset of the ARPHRD value in the header
 * @param protocolAt      offset of the protocol in the header
 */
function takeCooked(
  batch: PacketBatch, start: number, end: number, headerBytes: number, hardwareAt: number, protocolAt: number,
): number {
  const data = batch.data;
  if (end - start < headerBytes) return frameCutLinkHeader;
  if (((data[start + hardwareAt] << 8) | data[start + hardwareAt + 1]) === hardwareNetlink) return frameNotIp;
  const protocol = (data[start + protocolAt] << 8) | data[start + protocolAt + 1];
  const at = start + headerBytes;
  // 4: an 802.2 frame; the other small values are no EtherTypes and no lengths.
  if (protocol === 4) return takeLlc(batch, at, end, noLinkHeader, 0);
  return protocol < 1536 ? frameNotIp : takeEtherType(batch, protocol, at, end, noLinkHeader);
}

/** Per-packet information: version, flags, header length and the link type of what follows, low byte first. */
function takePpi(batch: PacketBatch, start: number, end: number): number {
  const data = batch.data;
  if (end - start < 8) return frameCutLinkHeader;
  const headerBytes = data[start + 2] | (data[start + 3] << 8);
  const linkType = data[start + 4] | (data[start + 5] << 8);
  if (headerBytes < 8 || end - start < headerBytes) return frameCutLinkHeader;
  return linkType === linkPpi ? frameUnknownLinkType : appendFrame(batch, linkType, start + headerBytes, end);
}
