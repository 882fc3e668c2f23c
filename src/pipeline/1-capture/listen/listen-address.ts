/** Where exporters are listened to. The same words serve UDP (RFC 7011 §10.3), TCP (§10.4) and TLS over it (§11). */
export type ListenAddress = {
  readonly transport: 'udp' | 'tcp' | 'tls';
  /** `0.0.0.0`, `::` or one of the machine's. */
  readonly address: string;
  /** 0: any free one, which is told. */
  readonly port: number;
};

/** A socket of `::` takes IPv4 as well, unless that has a socket of its own on the same port. */
export function isOnlyIPv6(
  listen: Pick<ListenAddress, 'address' | 'port'>, all: readonly Pick<ListenAddress, 'address' | 'port'>[],
): boolean {
  return listen.address.includes(':') &&
    all.some(({ address, port }) => !address.includes(':') && port === listen.port && port > 0);
}
