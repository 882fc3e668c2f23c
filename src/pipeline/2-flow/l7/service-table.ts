/**
 * Service of a flow from its protocol and ports, without any payload. Ports below 1024 come first: they are what both
 * ends agreed on (IANA "well known"), while a higher number may be a client's own choice.
 */
import { assertInvariant, protocolTcp, protocolUdp } from '#base';
import { services as allServices, type ServiceDefinition } from './service-list.ts';

/** Name of service code 0: no entry for the protocol or the ports. */
export const unknownService = 'Unknown';

/** First port that Linux gives to clients by default; from it on only the responder's port counts. */
const firstEphemeralPort = 32_768;
const firstRegisteredPort = 1_024;

/** Arrays of service codes; a code indexes `names`. Written once, then read only. */
export type ServiceTable = {
  readonly names: readonly string[];
  /** [65536] by port. */
  readonly tcp: Uint8Array;
  /** [65536] by port. */
  readonly udp: Uint8Array;
  /** [256] by IP protocol. */
  readonly protocols: Uint8Array;
  /** [256] by service code: 1 when flows that leave the home are not called so. */
  readonly local: Uint8Array;
};

/**
 * Table of a list of services.
 *
 * @throws InvariantError  a name or a port is there twice, or there are more than 255 services
 */
export function createServiceTable(definitions: readonly ServiceDefinition[] = allServices): ServiceTable {
  assertInvariant(definitions.length <= 255, 'more than 255 services do not fit a byte');
  const table = {
    names: [unknownService, ...definitions.map((definition) => definition.name)],
    tcp: new Uint8Array(65_536),
    udp: new Uint8Array(65_536),
    protocols: new Uint8Array(256),
    local: Uint8Array.from({ length: 256 }, (_, code) => Number(definitions[code - 1]?.local ?? false)),
  };
  assertInvariant(new Set(table.names).size === table.names.length, 'a service is listed twice');
  for (const [index, { name, tcp, udp, protocols }] of definitions.entries()) {
    enter(table.tcp, tcp, index + 1, name);
    enter(table.udp, udp, index + 1, name);
    enter(table.protocols, protocols, index + 1, name);
  }
  return table;
}

function enter(codes: Uint8Array, keys: readonly number[], code: number, name: string): void {
  for (const key of keys) {
    assertInvariant(key > 0 && key < codes.length, `${name}: ${key} is not a port or protocol`);
    assertInvariant(codes[key] === 0, `${name}: ${key} has a name already`);
    codes[key] = code;
  }
}

/**
 * Code of a flow's service, 0 for unknown. A kernel.
 *
 * Order: responder's well-known port, initiator's well-known port, responder's port, initiator's port if it is not
 * ephemeral. The initiator's port counts because the initiator may be the server: the home's side is the initiator of
 * flows that came in from outside, and a capture may begin in the middle.
 *
 * @param table      read only
 * @param isOutward  one side is outside the home
 */
export function findService(
  table: ServiceTable, protocol: number, responderPort: number, initiatorPort: number, isOutward: boolean,
): number {
  const code = findByPort(table, protocol, responderPort, initiatorPort);
  return isOutward && table.local[code] === 1 ? 0 : code;
}

function findByPort(table: ServiceTable, protocol: number, responderPort: number, initiatorPort: number): number {
  if (protocol !== protocolTcp && protocol !== protocolUdp) return table.protocols[protocol] as number;
  const codes = protocol === protocolTcp ? table.tcp : table.udp;
  const ofResponder = codes[responderPort] as number;
  if (ofResponder !== 0 && responderPort < firstRegisteredPort) return ofResponder;
  if (initiatorPort >= firstEphemeralPort) return ofResponder;
  const ofInitiator = codes[initiatorPort] as number;
  if (ofResponder === 0) return ofInitiator;
  return ofInitiator !== 0 && initiatorPort < firstRegisteredPort ? ofInitiator : ofResponder;
}
