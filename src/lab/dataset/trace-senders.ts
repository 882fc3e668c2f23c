/**
 * Whose a packet is, by the table of a capture's devices. The same rule as for flows, over numbers instead of texts: it
 * is asked of every packet.
 */
import { hMacs, hProtocol, hSource } from '#flow';
import type { DeviceTable, InventoryDevice } from '../inventory/inventory.ts';

/** Names of devices by MAC and by IPv4 address, as numbers. */
export type KnownSenders = {
  readonly byMac: ReadonlyMap<number, string>;
  readonly byAddress: ReadonlyMap<number, string>;
};

/** Keys that `addressKey` makes of IPv4 addresses. */
const ipv4Key = '0:0:65535:';

export function readSenders({ byMac, byAddress }: DeviceTable): KnownSenders {
  return {
    byMac: numberKeys([...byMac], ([high = 0, low = 0]) => high * 2 ** 32 + low),
    // IPv6 gives no packets of a trace, and its queries are only counted: they are found by the MAC.
    byAddress: numberKeys([...byAddress].filter(([key]) => key.startsWith(ipv4Key)), (words) => words[3] as number),
  };
}

function numberKeys(
  entries: readonly (readonly [string, InventoryDevice])[], toNumber: (words: readonly number[]) => number,
): Map<number, string> {
  return new Map(entries.map(([key, { device }]) => [toNumber(key.split(':').map(Number)), device]));
}

/**
 * The device that sent a packet, by MAC, else by address.
 *
 * @param words  of the header slab; the packet's record begins at `at`
 */
export function findSender({ byMac, byAddress }: KnownSenders, words: Uint32Array, at: number): string | undefined {
  const mac = ((words[at + hMacs + 1] as number) & 0xffff) * 2 ** 32 + (words[at + hMacs + 2] as number);
  const found = byMac.get(mac);
  if (found !== undefined || (words[at + hProtocol] as number) >>> 8 !== 4) return found;
  return byAddress.get(words[at + hSource + 3] as number);
}
