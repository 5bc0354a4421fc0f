// From the configuration to the sockets that are to be bound.

import type { Duplex } from 'node:stream';
import type { ConnectionInfo } from '../adapters/adapter.ts';
import type { Protocol } from './adapters.ts';
import type { AdvertisedListenerConfig, Config, ListenerConfig } from './config/config.ts';
import type { ListenerSpec } from './listeners.ts';

export type Accept = (protocol: string, stream: Duplex, info: ConnectionInfo) => void;

/** Name of the listener that carries health, metrics and administration. */
export const HTTP = 'http';

export function listenerSpecs(config: Config, protocols: readonly Protocol[], accept: Accept): ListenerSpec[] {
  const { http, bindAddress } = config;
  const specs = protocols.flatMap((protocol) => {
    const { connectionsMax, handshakeTimeoutMs } = protocol.limits(config);
    return protocol
      .listeners(config)
      .filter((listener) => listener.config.enabled)
      .map(({ name, key, title, config: of }): ListenerSpec => {
        const { advertisedHost, advertisedPort } = of;
        return {
          ...common(protocol.name, of),
          name,
          key,
          title,
          advertisedHost,
          advertisedPort,
          connectionsMax,
          handshakeTimeoutMs,
        };
      });
  });
  if (http.enabled) {
    const { connectionsMax, handshakeTimeoutMs } = http;
    const names = { name: HTTP, key: HTTP, title: 'HTTP', advertisedHost: null, advertisedPort: null };
    specs.push({ ...common(HTTP, http), ...names, connectionsMax, handshakeTimeoutMs });
  }
  return specs;

  function common(protocol: string, of: ListenerConfig | AdvertisedListenerConfig) {
    return {
      host: of.bindAddress ?? bindAddress,
      port: of.port,
      tls: of.tls,
      accept: (stream: Duplex, info: ConnectionInfo) => accept(protocol, stream, info),
    };
  }
}
