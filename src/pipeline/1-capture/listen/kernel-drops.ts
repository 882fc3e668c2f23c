/**
 * Datagrams that the kernel dropped because a socket's buffer was full: the last column of /proc/net/udp and udp6
 * (proc(5)), where each line is a socket. Node gives no way to ask the socket itself.
 */
import { readFile } from 'node:fs/promises';
import { parseAddress } from '#base';

export type DropTables = { readonly udp: string; readonly udp6: string };

export const dropTables: DropTables = { udp: '/proc/net/udp', udp6: '/proc/net/udp6' };

/**
 * Drops of all sockets together since each was opened.
 *
 * @param sockets  where they are bound, each alone at its place
 * @returns        undefined where the tables cannot be read
 */
export async function readKernelDrops(
  sockets: readonly { readonly address: string; readonly port: number }[], tables: DropTables = dropTables,
): Promise<number | undefined> {
  try {
    let drops = 0;
    for (const family of ['udp', 'udp6'] as const) {
      const places = new Set(sockets.filter(({ address }) => address.includes(':') === (family === 'udp6'))
        .map(({ address, port }) => placeKey(address, port)));
      if (places.size > 0) drops += sumDrops(await readFile(tables[family], 'latin1'), places);
    }
    return drops;
  } catch {
    return undefined;
  }
}

function sumDrops(table: string, places: ReadonlySet<string>): number {
  let drops = 0;
  for (const line of table.split('\n').slice(1)) {
    const cells = line.trim().split(/\s+/);
    if (places.has(cells[1] ?? '')) drops += Number(cells.at(-1));
  }
  return drops;
}

/** The place as the tables write it: words of the address as the machine's integers, then the port, hexadecimal. */
function placeKey(address: string, port: number): string {
  const words = parseAddress(address) ?? [0, 0, 0, 0];
  const shown = address.includes(':') ? words : words.slice(3);
  return `${shown.map(formatWord).join('')}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function formatWord(word: number): string {
  const swapped = ((word & 255) << 24 | (word & 0xff00) << 8 | (word >>> 8) & 0xff00 | word >>> 24) >>> 0;
  return (isLittleEndian ? swapped : word).toString(16).toUpperCase().padStart(8, '0');
}
