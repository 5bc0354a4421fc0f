/**
 * From a method's row to its handler. The rows say which methods a client may send; each of them must have a handler
 * here or the table does not compile. One file per request in methods/.
 */

import type { ClientMethod, MethodName } from '../../specs/amqp/methods.ts';
import type { Reader } from '../wire/reader.ts';
import { AmqpError } from './amqp-error.ts';
import type { Channel } from './channel.ts';
import type { Connection } from './connection.ts';
import type { Arguments } from './method-arguments.ts';
import { readArguments } from './method-arguments.ts';
import { accessRequest } from './methods/access-request.ts';
import { basicAck } from './methods/basic-ack.ts';
import { basicCancel } from './methods/basic-cancel.ts';
import { basicConsume } from './methods/basic-consume.ts';
import { basicGet } from './methods/basic-get.ts';
import { basicNack } from './methods/basic-nack.ts';
import { basicQos } from './methods/basic-qos.ts';
import { basicRecover, basicRecoverAsync } from './methods/basic-recover.ts';
import { basicReject } from './methods/basic-reject.ts';
import { channelClose } from './methods/channel-close.ts';
import { channelFlow } from './methods/channel-flow.ts';
import { confirmSelect } from './methods/confirm-select.ts';
import { connectionClose } from './methods/connection-close.ts';
import { connectionOpen } from './methods/connection-open.ts';
import { connectionStartOk } from './methods/connection-start-ok.ts';
import { connectionTuneOk } from './methods/connection-tune-ok.ts';
import { connectionUpdateSecret } from './methods/connection-update-secret.ts';
import { exchangeBind } from './methods/exchange-bind.ts';
import { exchangeDeclare } from './methods/exchange-declare.ts';
import { exchangeDelete } from './methods/exchange-delete.ts';
import { exchangeUnbind } from './methods/exchange-unbind.ts';
import { queueBind } from './methods/queue-bind.ts';
import { queueDeclare } from './methods/queue-declare.ts';
import { queueDelete } from './methods/queue-delete.ts';
import { queuePurge } from './methods/queue-purge.ts';
import { queueUnbind } from './methods/queue-unbind.ts';
import { txCommit, txRollback, txSelect } from './methods/tx.ts';

/** What a handler returns: a promise when its answer waits for the core. */
export type Handled = void | Promise<void>;

type ConnectionMethod = Extract<ClientMethod, `connection.${string}`>;
type ChannelMethod = Exclude<ClientMethod, ConnectionMethod>;

type ChannelHandler<N extends MethodName> = (channel: Channel, args: Arguments<N>) => Handled;
type ConnectionHandler<N extends MethodName> = (connection: Connection, args: Arguments<N>) => Handled;

const unimplemented = (): never => {
  throw new AmqpError('COMMAND_INVALID', 'unimplemented method');
};

const outOfState = (connection: Connection): never => {
  throw new AmqpError('CHANNEL_ERROR', `unexpected method in connection state ${connection.state}`);
};

const channelHandlers: { readonly [N in ChannelMethod]: ChannelHandler<N> } = {
  'access.request': accessRequest,
  'basic.ack': basicAck,
  'basic.cancel': basicCancel,
  // The server's own cancel asks for no answer; a client that answers all the same does no harm.
  'basic.cancel-ok': () => {},
  'basic.consume': basicConsume,
  'basic.get': basicGet,
  'basic.nack': basicNack,
  // The connection handles publish (with its content) and channel.close-ok (while closing) before it looks here.
  'basic.publish': unimplemented,
  'basic.qos': basicQos,
  'basic.recover': basicRecover,
  'basic.recover-async': basicRecoverAsync,
  'basic.reject': basicReject,
  'channel.open': () => {
    throw new AmqpError('CHANNEL_ERROR', "second 'channel.open' seen");
  },
  'channel.close': channelClose,
  'channel.close-ok': unimplemented,
  'channel.flow': channelFlow,
  'channel.flow-ok': unimplemented,
  'confirm.select': confirmSelect,
  'exchange.bind': exchangeBind,
  'exchange.declare': exchangeDeclare,
  'exchange.delete': exchangeDelete,
  'exchange.unbind': exchangeUnbind,
  'queue.bind': queueBind,
  'queue.declare': queueDeclare,
  'queue.delete': queueDelete,
  'queue.purge': queuePurge,
  'queue.unbind': queueUnbind,
  'tx.commit': txCommit,
  'tx.rollback': txRollback,
  'tx.select': txSelect,
};

const connectionHandlers: { readonly [N in ConnectionMethod]: ConnectionHandler<N> } = {
  'connection.start-ok': connectionStartOk,
  // Neither mechanism that is offered asks a second question.
  'connection.secure-ok': outOfState,
  'connection.tune-ok': connectionTuneOk,
  'connection.open': connectionOpen,
  'connection.close': connectionClose,
  'connection.close-ok': outOfState,
  'connection.update-secret': connectionUpdateSecret,
};

export function dispatchChannel(channel: Channel, name: MethodName, reader: Reader): Handled {
  const handler = (channelHandlers as Partial<Record<MethodName, ChannelHandler<MethodName>>>)[name];
  if (handler === undefined) return unimplemented();
  return handler(channel, readArguments(name, reader));
}

export function dispatchConnection(connection: Connection, name: MethodName, reader: Reader): Handled {
  const handler = (connectionHandlers as Partial<Record<MethodName, ConnectionHandler<MethodName>>>)[name];
  if (handler === undefined) return outOfState(connection);
  return handler(connection, readArguments(name, reader));
}
