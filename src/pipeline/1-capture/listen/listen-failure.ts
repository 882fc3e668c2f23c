/** Why a port cannot be listened at, as one sentence that says what to change. For UDP, TCP and the health endpoint. */
import { EnvironmentError } from '#base';
import type { ListenAddress } from './listen-address.ts';

/** `192.0.2.1:2055`, `[::]:2055`. */
export function formatPlace({ address, port }: { readonly address: string; readonly port: number }): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** @returns the failure to throw */
export function describeListenFailure(
  place: { readonly address: string; readonly port: number; readonly transport?: ListenAddress['transport'] },
  error: NodeJS.ErrnoException,
): EnvironmentError {
  const where = `${formatPlace(place)} (${place.transport ?? 'tcp'})`;
  return new EnvironmentError('network', `Cannot listen at ${where}: ${adviceFor(error, place.port)}.`, error);
}

function adviceFor(error: NodeJS.ErrnoException, port: number): string {
  if (error.code === 'EADDRINUSE') {
    return `another program has the port; ss -lnup or ss -lntp shows which, or choose another port than ${port}`;
  }
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return 'the system does not permit it; ports below 1024 need root or CAP_NET_BIND_SERVICE';
  }
  if (error.code === 'EADDRNOTAVAIL') return 'the address is not this machine\'s; 0.0.0.0 and :: stand for all of them';
  if (error.code === 'EAFNOSUPPORT') return 'this machine has no such kind of address; IPv6 may be switched off';
  return error.message;
}
