// What a person sees at the start: version, data directory, durability, authentication, and one line per protocol that
// can be copied into a client.
import type { Gateway } from './launcher.ts';
import { HTTP } from './listener-specs.ts';
import { VERSION } from './status.ts';

export function bannerText(gateway: Gateway): string {
  const { config, dataDirectory, listeners, secured } = gateway;
  const { flush, flushIntervalMs } = config.store;
  const lines: [string, string][] = [
    ['data', dataDirectory],
    [
      'durability',
      flush === 'sync'
        ? 'sync: a message is acknowledged after it was synced to the disk'
        : `async: a message is acknowledged before it is synced, up to ${flushIntervalMs} ms of them can be lost in a power cut`,
    ],
    ['authentication', authenticationText(secured, config.insecure, listeners.reachesBeyondLoopback)],
  ];
  for (const protocol of gateway.protocols) {
    for (const listener of protocol.listeners(config)) {
      const address = listener.config.enabled ? listeners.advertised(listener.name) : null;
      const line = address === null ? null : listener.connectionLine(bracketed(address.host), address.port);
      if (line !== null) lines.push([listener.title, line]);
    }
  }
  const http = listeners.advertised(HTTP);
  if (http !== null) {
    const scheme = config.http.tls === 'required' ? 'https' : 'http';
    lines.push(['HTTP', `${scheme}://${bracketed(http.host)}:${http.port}/`]);
  }
  const width = Math.max(...lines.map(([name]) => name.length));
  return [`RosettaMQ ${VERSION}`, ...lines.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`), ''].join('\n');
}

function authenticationText(isSecured: boolean, isInsecure: boolean, isReachable: boolean): string {
  if (isSecured) return 'on: clients need a user';
  if (isInsecure && isReachable) return 'OFF AND REACHABLE FROM OUTSIDE (--insecure): anybody may do anything';
  return 'off, so this machine only (loopback): create the first user with `rosettamq user add NAME`';
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
