/**
 * What lab devices say in the clear: HTTP/1.1 (RFC 9112), MQTT 3.1.1 (OASIS) and DHCP (RFC 2131, RFC 2132). Bodies are
 * random bytes; everything around them is as the documents have it.
 */
import { ascii, type PayloadPool } from '../payloads.ts';

/** A GET with a query of the given length. */
export function buildHttpRequest(pool: PayloadPool, host: string, agent: string, queryBytes: number): Uint8Array {
  const query = Buffer.from(pool.take(Math.ceil(queryBytes / 2))).toString('hex').slice(0, queryBytes);
  return ascii(`GET /v1/status?id=${query} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: ${agent}\r\n` +
    'Accept: */*\r\nConnection: close\r\n\r\n');
}

/** A response with a body. */
export function buildHttpResponse(pool: PayloadPool, bodyBytes: number): Uint8Array {
  const head = ascii('HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/octet-stream\r\n' +
    `Content-Length: ${bodyBytes}\r\nConnection: close\r\n\r\n`);
  const bytes = new Uint8Array(head.length + bodyBytes);
  bytes.set(head);
  const stepBytes = 65_536;
  for (let at = 0; at < bodyBytes; at += stepBytes) {
    bytes.set(pool.take(Math.min(stepBytes, bodyBytes - at)), head.length + at);
  }
  return bytes;
}

/** CONNECT (§3.1) with a client id and a user name. */
export function buildMqttConnect(clientId: string, keepAliveS: number): Uint8Array {
  const body = [...text16('MQTT'), 4, 0x82, keepAliveS >> 8, keepAliveS & 255, ...text16(clientId), ...text16('unit')];
  return mqttPacket(0x10, body);
}

export const mqttConnack = Uint8Array.of(0x20, 2, 0, 0);
export const mqttPingRequest = Uint8Array.of(0xc0, 0);
export const mqttPingResponse = Uint8Array.of(0xd0, 0);

/** PUBLISH with quality of service 0 (§3.3). */
export function buildMqttPublish(pool: PayloadPool, topic: string, payloadBytes: number): Uint8Array {
  return mqttPacket(0x30, [...text16(topic), ...pool.take(payloadBytes)]);
}

/** Type, remaining length (§2.2.3), rest. */
function mqttPacket(type: number, body: readonly number[]): Uint8Array {
  const length = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7];
  return Uint8Array.of(type, ...length, ...body);
}

function text16(text: string): number[] {
  return [text.length >> 8, text.length & 255, ...ascii(text)];
}

export const dhcpPorts = { client: 68, server: 67 };

export type DhcpMessage = {
  /** RFC 2132 §9.6: 1 DISCOVER, 2 OFFER, 3 REQUEST, 5 ACK. */
  readonly type: 1 | 2 | 3 | 5;
  readonly transaction: number;
  readonly mac: Uint8Array;
  /** The client's address while it uses it (a renewal), else zeros. */
  readonly clientAddress: Uint8Array;
  /** What is offered, asked for or given. */
  readonly address: Uint8Array;
  readonly server: Uint8Array;
  readonly leaseSeconds: number;
};

const dhcpBytes = 300;

/** A DHCP message of the least length that BOOTP relays take. */
export function buildDhcp(message: DhcpMessage): Uint8Array {
  const { type, mac, address, server } = message;
  const isReply = type === 2 || type === 5;
  const bytes = new Uint8Array(dhcpBytes);
  const view = new DataView(bytes.buffer);
  bytes.set([isReply ? 2 : 1, 1, 6, 0]);
  view.setUint32(4, message.transaction);
  bytes.set(message.clientAddress, 12);
  if (isReply) bytes.set(address, 16);
  bytes.set(mac, 28);
  const lease = [51, 4, message.leaseSeconds >>> 24, (message.leaseSeconds >>> 16) & 255,
    (message.leaseSeconds >>> 8) & 255, message.leaseSeconds & 255];
  const options = isReply ? [54, 4, ...server, ...lease, 1, 4, 255, 255, 255, 0, 3, 4, ...server, 6, 4, ...server]
    : [55, 3, 1, 3, 6, ...(type === 3 ? [50, 4, ...address] : [])];
  bytes.set([0x63, 0x82, 0x53, 0x63, 53, 1, type, ...options, 255], 236);
  return bytes;
}
