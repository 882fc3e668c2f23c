/**
 * Numbers that packets carry and several rooms and the simulator ask for: IP protocols (IANA "Assigned Internet
 * Protocol Numbers") and TCP flags (RFC 9293 §3.1). Only a table. The kernels cannot import it and say theirs again.
 */

export const protocolIcmp = 1;
export const protocolTcp = 6;
export const protocolUdp = 17;
export const protocolDccp = 33;
export const protocolIcmpv6 = 58;
export const protocolSctp = 132;
export const protocolUdpLite = 136;

export const tcpFin = 0x01;
export const tcpSyn = 0x02;
export const tcpRst = 0x04;
export const tcpPsh = 0x08;
export const tcpAck = 0x10;
