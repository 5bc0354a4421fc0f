// A certificate for `localhost` and 127.0.0.1 that signs itself, made once on this machine: for tests of TLS alone.
import { join } from 'node:path';
import { ensureCommand } from './toolchain.ts';
import { builtOnce, execute } from './work.ts';

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export async function certificate(): Promise<CertificateFiles> {
  await ensureCommand('openssl');
  const folder = await builtOnce('certificate', [], async (into) => {
    const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', join(into, 'key.pem')];
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    await execute('openssl', ['req', '-x509', ...key, '-days', '3650', ...names, '-out', join(into, 'cert.pem')]);
  });
  return { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
}
