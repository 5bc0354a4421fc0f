/** connection.start and start-ok: who we are, who the client is, and whether it may in. */

import type { Principal } from '../../../core/types.ts';
import { Reader } from '../../wire/reader.ts';
import { WireError } from '../../wire/wire-error.ts';
import { AmqpError } from '../amqp-error.ts';
import type { Connection } from '../connection.ts';
import type { FieldTable } from '../field-table.ts';
import { emptyTable, fieldOf, readBareTable } from '../field-table.ts';
import type { Arguments } from '../method-arguments.ts';
import { serverProperties } from '../server-properties.ts';
import { expectState } from './expect-state.ts';

const mechanisms = ['PLAIN', 'AMQPLAIN'] as const;
/** Offered to who has shown a certificate: its common name is the user. */
const byCertificate = 'EXTERNAL';

export function sendStart(connection: Connection): void {
  connection.state = 'start';
  connection.frames.method(0, 'connection.start', {
    versionMajor: 0,
    versionMinor: 9,
    serverProperties: serverProperties(connection.context),
    mechanisms: Buffer.from([...mechanisms, ...(peerNameOf(connection) === null ? [] : [byCertificate])].join(' ')),
    locales: Buffer.from('en_US'),
  });
}

export async function connectionStartOk(connection: Connection, args: Arguments<'connection.start-ok'>): Promise<void> {
  expectState(connection, 'start');
  const field = fieldOf(args.clientProperties, 'capabilities');
  const capabilities = field?.type === 'F' ? field.value : emptyTable;
  connection.client = {
    consumerCancelNotify: says(capabilities, 'consumer_cancel_notify'),
    connectionBlocked: says(capabilities, 'connection.blocked'),
    authenticationFailureClose: says(capabilities, 'authentication_failure_close'),
  };
  const isExternal = args.mechanism === byCertificate;
  const login = isExternal ? null : loginOf(args.mechanism, args.response);
  const name = isExternal ? peerNameOf(connection) : (login?.name ?? null);
  let principal: Principal | null = null;
  if (login !== null) principal = await authenticate(connection, login);
  else if (name !== null) principal = external(connection, name);
  if (name === null || principal === null) {
    await refuse(connection, args.mechanism);
    return;
  }
  connection.principal = principal;
  connection.userName = name;
  connection.state = 'tune';
  connection.frames.method(0, 'connection.tune', {
    channelMax: connection.limits.channelsPerConnectionMax,
    frameMax: connection.limits.frameBytesMax,
    heartbeat: connection.limits.heartbeatS,
  });
}

function says(capabilities: FieldTable, name: string): boolean {
  const field = fieldOf(capabilities, name);
  return field?.type === 't' && field.value;
}

interface Login {
  readonly name: string;
  readonly password: string;
}

/** Null where the mechanism is not offered or its response is not of its form. */
function loginOf(mechanism: string, response: Buffer): Login | null {
  if (mechanism === 'PLAIN') {
    // [authzid] NUL authcid NUL passwd (RFC 4616); RabbitMQ does not look at the first.
    const [, name, password, ...more] = response.toString().split('\0');
    return name === undefined || password === undefined || more.length > 0 ? null : { name, password };
  }
  if (mechanism !== 'AMQPLAIN') return null;
  try {
    const table = readBareTable(new Reader(response));
    const name = fieldOf(table, 'LOGIN');
    const password = fieldOf(table, 'PASSWORD');
    if (name?.type !== 'S' || password?.type !== 'S') return null;
    return { name: name.value.toString(), password: password.value.toString() };
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

function peerNameOf({ info }: Connection): string | null {
  return info.peerName ?? null;
}

/** The listener has verified the certificate; the user must be one of ours all the same, once there are any. */
function external({ broker, context, info }: Connection, name: string): Principal | null {
  const { host } = info.remote;
  if (context.open()) return context.anonymous(host);
  if (context.internal === undefined) return null;
  return broker.users(context.internal).some((user) => user.name === name) ? { name, host } : null;
}

function authenticate(connection: Connection, { name, password }: Login): Promise<Principal | null> {
  return connection.context.authenticate(name, password, connection.info.remote.host);
}

/** Waits, so that passwords cannot be tried quickly; then tells those who want to hear it, and ends. */
async function refuse(connection: Connection, mechanism: string): Promise<void> {
  const { clock } = connection.context;
  await new Promise<void>((resolve) => {
    clock.setTimer(connection.limits.loginRefusedDelayMs, () => resolve());
  });
  if (!connection.client.authenticationFailureClose) {
    connection.finish();
    return;
  }
  connection.close(
    new AmqpError(
      'ACCESS_REFUSED',
      `Login was refused using authentication mechanism ${mechanism}. For details see the broker logfile.`,
      { scope: 'connection' },
    ),
  );
}
