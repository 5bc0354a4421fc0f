// The certificate of the listeners, read once at the start, with errors that name the file and the key.
import fs from 'node:fs';
import tls from 'node:tls';
import type { Config } from './config/config.ts';
import { ConfigError, listenerConfigs } from './config/load.ts';

/** Null when no listener uses TLS. Throws ConfigError when the files cannot be used. */
export function readTls(config: Config): tls.TlsOptions | null {
  if (listenerConfigs(config).every(([, listener]) => !listener.enabled || listener.tls === 'off')) return null;
  const { certFile, keyFile, keyPassphrase, versionMin, clientCaFile } = config.tls;
  const options: tls.TlsOptions = {
    cert: read('tls.certFile', certFile),
    key: read('tls.keyFile', keyFile),
    minVersion: versionMin,
    ...(keyPassphrase !== null && { passphrase: keyPassphrase }),
    // Clients may show a certificate and need not: one that does not verify counts as none.
    ...(clientCaFile !== null && {
      ca: read('tls.clientCaFile', clientCaFile),
      requestCert: true,
      rejectUnauthorized: false,
    }),
  };
  try {
    tls.createSecureContext(options);
  } catch (cause) {
    throw new ConfigError([
      `tls: the certificate ${certFile} and the key ${keyFile} cannot be used: ${(cause as Error).message}`,
    ]);
  }
  return options;
}

function read(key: string, file: string | null): Buffer {
  try {
    return fs.readFileSync(file ?? '');
  } catch (cause) {
    throw new ConfigError([`${key}: cannot read ${file}: ${(cause as Error).message}`]);
  }
}
