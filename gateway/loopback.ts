// Which addresses only this machine reaches.
import { BlockList, isIP } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** True for loopback addresses (IPv4 written as IPv6 too) and for the name `localhost`. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true;
  const family = isIP(host);
  if (family === 0) return false;
  return loopback.check(plainAddress(host), isIP(plainAddress(host)) === 4 ? 'ipv4' : 'ipv6');
}

/** True for the addresses that stand for all of this machine's. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** An IPv4 address as such, though a dual-stack socket shows it as ::ffff:10.0.0.7. */
export function plainAddress(host: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1] ?? host;
}
