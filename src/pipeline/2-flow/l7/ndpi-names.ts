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

/** Masters that nDPI renamed: old name to the one used now. nDPI called TLS "SSL" until 3.0. */
export const applicationNameAliases: ReadonlyMap<string, string> = new Map([
  ['SSL', 'TLS'],
  ['SSL_No_Cert', 'TLS'],
]);

/** The name that natlens uses for an application name of any nDPI version: `SSL.Amazon` becomes `TLS.Amazon`. */
export function canonicalApplicationName(name: string): string {
  const dot = name.indexOf('.');
  const master = dot < 0 ? name : name.slice(0, dot);
  const alias = applicationNameAliases.get(master);
  if (alias === undefined) return name;
  return dot < 0 ? alias : alias + name.slice(dot);
}
