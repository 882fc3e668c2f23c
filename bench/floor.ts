/**
 * The floor of metering: reads a capture and takes the link layer off every frame, nothing more. Argument: the capture.
 */
import { openByteSource, readCapture } from '#capture';

const source = await openByteSource(process.argv[2] as string);
const reading = readCapture(source);
let networkBytes = 0;
for await (const batch of reading.batches()) {
  for (let row = 0; row < batch.rowCount; row++) networkBytes += batch.networkBytes[row] as number;
}
await source.close();
process.stdout.write(`${reading.frames} frames, ${networkBytes} bytes from IP on\n`);
