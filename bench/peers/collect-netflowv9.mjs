/** node-netflowv9 as a collector that only counts, which is less than writing. Argument: port. At SIGTERM it prints. */
import Collector from 'node-netflowv9';

let records = 0;
const collector = Collector(({ flows }) => { records += flows?.length ?? 0; });
collector.server.on('listening', () => {
  try {
    collector.server.setRecvBufferSize(4_194_304);
  } catch {
    // What the kernel gives by default then.
  }
});
collector.listen(Number(process.argv[2]), '127.0.0.1');
process.on('SIGTERM', () => process.stdout.write(`${records}\n`, () => process.exit(0)));
