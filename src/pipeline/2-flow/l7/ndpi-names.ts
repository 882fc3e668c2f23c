/**
 * Names of nDPI's verdicts, written as ndpiReader writes its `ndpi_proto` column: `master.app`, or the one that is
 * known.
 */

/**
 * Text of a verdict.
 *
 * @param verdict        master protocol + 65536 · application protocol
 * @param protocolNames  by protocol id
 */
export function formatVerdict(verdict: number, protocolNames: readonly string[]): string {
  const master = verdict & 0xffff;
  const application = verdict >>> 16;
  const nameOf = (protocol: number): string => protocolNames[protocol] ?? `${protocol}`;
  if (master !== 0 && application !== 0 && master !== application) return `${nameOf(master)}.${nameOf(application)}`;
  return nameOf(application === 0 ? master : application);
}
