/** The version of this program, as package.json states it. */
import { readShippedFile } from './shipped-file.ts';

export function readVersion(): string {
  const text = new TextDecoder().decode(readShippedFile(new URL('../../package.json', import.meta.url)));
  return (JSON.parse(text) as { version: string }).version;
}
