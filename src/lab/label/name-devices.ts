/** Names of devices by an inventory's MACs and addresses, whatever captures its rows name. */
import { readFile } from 'node:fs/promises';
import { describeError, formatAddress, formatMac, OperatorError } from '#base';
import { parseInventory } from '../inventory/inventory-table.ts';
import type { NameDevice } from './label-flows.ts';

type Named = { readonly device: string; readonly deviceModel: string };

/**
 * Reads an inventory as a table of devices.
 *
 * @throws OperatorError  it cannot be read, a line is wrong, or it gives one MAC or address to two devices
 */
export async function readDeviceNames(path: string): Promise<NameDevice> {
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    throw new OperatorError('input-unreadable', `Cannot read the inventory ${path}: ${describeError(thrown)}.`, thrown);
  });
  const names = new Map<string, Named>();
  const enter = (key: string, named: Named): void => {
    const known = names.get(key);
    if (known !== undefined && known.device !== named.device) {
      throw new OperatorError('bad-option', `${path} gives ${key} to ${known.device} and to ${named.device}: in one ` +
        'home a MAC or address is one device\'s.');
    }
    names.set(key, named);
  };
  for (const { mac, address, device, deviceModel } of parseInventory(text, path).rows) {
    const named = { device, deviceModel };
    if (mac !== undefined) enter(formatMac(Uint32Array.from(mac), 0), named);
    if (address !== undefined) enter(formatAddress(Uint32Array.from(address), 0), named);
  }
  return (mac, address) => names.get(mac) ?? names.get(address);
}
